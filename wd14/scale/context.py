"""What a worker keeps open between shards, for all phases."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.curation.applying import curation_of
from wd14.curation.plan import parse_plan
from wd14.errors import ConfigError, ModelContractError, ScaleError
from wd14.job_edits import JobEdits
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.scoring import AnyTagger
from wd14.scale.manifest import Manifest
from wd14.scale.model_labels import read_labels
from wd14.scale.output import Output, Phase
from wd14.scored_rows import session_of
from wd14.stop import StopToken
from wd14.threads import BackgroundCall
from wd14.token_counting import token_counter
from wd14.types import Curation, Log, TokenCounter


@dataclass
class WorkerContext:
    """What a worker keeps open between shards. What is not there yet is made when it is first asked for.

    Attributes:
        output: of the run.
        manifest: of the run.
        phase: what is done to the shards.
        config: the parameters, with the score store off.
        stop: ends everything.
        say: takes what a person should know.
        rows_done: rows of the shard under way that are done.
    """

    output: Output
    manifest: Manifest
    phase: Phase
    config: CaptionConfig
    stop: StopToken
    say: Log
    rows_done: int = field(default=0, init=False)

    @cached_property
    def model(self) -> ModelFiles:
        """The tagger's files; where the scores are there already, what the run has noted of it.

        Raises:
            ModelError: one of its kinds; also where they are not those that the run was planned with.
        """
        if self.phase == "score":
            model = find_model(self.config.model, log=self.say, stop=self.stop)
        else:
            model = read_labels(self.output.labels)
        if model.identity != self.manifest.model_identity:
            raise ModelContractError(
                f"{self.config.model} is another model here than the one that the run was planned with"
                f" ({model.identity[:12]}, not {self.manifest.model_identity[:12]}): name the same revision, or copy"
                " its files"
            )
        return model

    @cached_property
    def curation(self) -> Curation:
        """What the plan of the dataset does to captions.

        Raises:
            ScaleError: it is not there.
            ConfigError: it is no plan.
        """
        place = self.output.plan
        try:
            return curation_of(parse_plan(place.read()), self.model.labels)
        except FileNotFoundError as error:
            raise ScaleError(f"{place} has gone: run the same command again") from error

    @cached_property
    def session(self) -> BackgroundCall[AnyTagger]:
        """The model's session, which is opened when the first picture needs it."""
        return session_of(self.model, self.config, log=self.say, stop=self.stop)

    @cached_property
    def edits(self) -> JobEdits:
        """A person's edits.

        Raises:
            ConfigError: they cannot be read, or need to know of all shards.
        """
        return edits_for_shards(self.config, self.manifest.source)

    @cached_property
    def tokens(self) -> TokenCounter | None:
        """What counts tokens; None where captions may have any number."""
        return token_counter(self.config, log=self.say, stop=self.stop)

    @cached_property
    def captioner(self) -> Captioner:
        """What writes the captions; in the phase `plan` as the plan of the dataset wants them.

        Raises:
            ConfigError: a parameter does not suit the model.
            ScaleError: the plan is not there.
        """
        model = self.model
        captioner = Captioner(
            model.labels,
            self.config,
            published=model.thresholds,
            curation=self.curation if self.phase == "plan" else None,
            tokens=self.tokens,
            editor=self.edits.editor(model.labels),
        )
        for remark in captioner.remarks:
            self.say(f"Note: {remark}")
        return captioner


def edits_for_shards(config: CaptionConfig, source: str) -> JobEdits:
    """A person's edits, as far as a shard can make them.

    Raises:
        ConfigError: they cannot be read, or need to know of all shards.
    """
    edits = JobEdits(config, source)
    if edits.all is not None and any(entry.edit.keeps_first for entry in edits.all.entries):
        raise ConfigError(
            "Edits (edits): an entry keeps the first of the pictures with the same bytes, and a shard does not know"
            " of the others: name the pictures that are to go, or use the command caption"
        )
    return edits
