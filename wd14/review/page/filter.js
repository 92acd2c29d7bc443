// The filter language: `halo -smile tokens:>75`.

/** A text as one word of a filter that means exactly this tag. */
function quotedWord(text) {
  return /^[^\s"'()*:\\-][^\s"()*:\\]*$/.test(text) && text !== "OR" ? text : `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/**
 * @returns {{error: null | string, test: (row: number) => boolean}} the rows that a filter shows
 */
function parseFilter(text, review) {
  const terms = [...text.matchAll(/(-?)(?:"([^"]*)"|(\S+))/g)].map(([, minus, quoted, bare]) => {
    const found = review.rowsWithTag(quoted ?? bare);
    return (row) => found(row) !== (minus === "-");
  });
  return { error: null, test: (row) => terms.every((term) => term(row)) };
}
