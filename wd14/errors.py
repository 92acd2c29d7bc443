"""Every error that this package raises on purpose.

CaptionerError
├── ConfigError                a parameter's value is not one it can take
├── SourceError                the dataset that goes in
│   ├── SourceNotFoundError    no such folder, file or hub dataset
│   ├── EmptySourceError       it is there and holds no picture
│   ├── SourceChangedError     it is another than it was when the run was planned
│   ├── ColumnNotFoundError    no column of that name; the message lists the ones there are
│   └── SplitNotFoundError     no split of that name; the message lists the ones there are
├── RowError                   one picture; its row fails and the job goes on
│   ├── MissingImageError      the file is not there, or the row names none
│   ├── UnreadableImageError   it is there and cannot be read (permission, not a regular file, outside the dataset)
│   ├── NotAnImageError        the bytes are no image that Pillow knows
│   ├── DamagedImageError      an image, but truncated or corrupt
│   ├── ImageTooLargeError     over the limit of pixels or bytes
│   ├── ScoringError           the model failed on this picture, or its scores are not numbers
│   └── CaptionFileExistsError a text file is beside the picture already, and is left alone
├── ModelError                 the tagger
│   ├── ModelNotFoundError     no such model, or a file of it is missing
│   ├── DownloadError          it could not be fetched; the message says what, from where and what to do
│   ├── DescriptionError       tagger.json or preprocess.json says something that no model can be
│   ├── LabelsError            its file of tags, or that of published thresholds, cannot be read
│   ├── ModelContractError     the graph is not one of a tagger, or does not fit its labels
│   └── DeviceError            the device that was asked for is not there
├── OutputError                the dataset that comes out cannot be written
├── StoreError                 the score store cannot be used
├── PlaceError                 a file or folder, here or on an object store, cannot be read or written
│   ├── UnwritablePlaceError   nothing more can be written there: full, over quota, read-only, not allowed
│   └── UnreachablePlaceError  an object store does not answer, or answers that it is too busy, for two minutes
├── ScaleError                 a run over many shards cannot go on
├── AllRowsFailedError         not one picture could be captioned
├── HostError                  the host does not do what it must
└── JobStoppedError            the user stopped the job
"""

from __future__ import annotations

from typing import ClassVar, Self


class CaptionerError(Exception):
    """Root of the tree. The message says what was expected, what came and what to do."""

    #: What the command line exits with: 1 = the job failed, 2 = what the user asked for cannot be done as asked.
    exit_code: int = 1


class ConfigError(CaptionerError):
    """A parameter's value is not one it can take."""

    exit_code = 2


class SourceError(CaptionerError):
    """The dataset that goes in cannot be read."""


class SourceNotFoundError(SourceError):
    """No such folder, file or hub dataset."""

    exit_code = 2


class EmptySourceError(SourceError):
    """The source is there and holds no picture."""


class SourceChangedError(SourceError):
    """The source, or a file of it, is another than it was when the run was planned."""


class ColumnNotFoundError(SourceError):
    """The source has no column of that name; the message lists the ones there are."""

    exit_code = 2


class SplitNotFoundError(SourceError):
    """The source has no split of that name; the message lists the ones there are."""

    exit_code = 2


class RowError(CaptionerError):
    """One picture cannot be captioned; its row fails and the job goes on."""

    #: What all failures of a class are called where they are counted.
    kind: ClassVar[str] = "failed"

    def without_frames(self) -> Self:
        """The error alone, to be kept with its row: a traceback holds what its functions held, pictures among it."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class MissingImageError(RowError):
    """The file is not there, or the row names none."""

    kind = "no file"


class UnreadableImageError(RowError):
    """The file is there and cannot be read: permission, not a regular file, outside the dataset."""

    kind = "cannot be read"


class NotAnImageError(RowError):
    """The bytes are no image that Pillow knows."""

    kind = "no picture"


class DamagedImageError(RowError):
    """An image, but truncated or corrupt."""

    kind = "damaged"


class ImageTooLargeError(RowError):
    """More pixels or bytes than the limit."""

    kind = "too large"


class ScoringError(RowError):
    """The model failed on this picture, or its scores are not numbers."""

    kind = "no scores"


class CaptionFileExistsError(RowError):
    """A text file is beside the picture already, and is left alone."""

    kind = "text file in the way"


class ModelError(CaptionerError):
    """The tagger cannot be used."""


class ModelNotFoundError(ModelError):
    """No such model, or one of its files is missing."""

    exit_code = 2


class DownloadError(ModelError):
    """A file could not be fetched; the message says what, from where and what to do."""


class DescriptionError(ModelError):
    """A description of a model cannot be read, or contradicts itself; the message names the file and the field."""

    exit_code = 2


class LabelsError(ModelError):
    """The file of tags, or that of published thresholds, cannot be read."""


class ModelContractError(ModelError):
    """The graph is not a tagger's, or does not fit its labels."""


class DeviceError(ModelError):
    """The device that was asked for is not there."""

    exit_code = 2


class OutputError(CaptionerError):
    """The dataset that comes out cannot be written."""


class StoreError(CaptionerError):
    """The score store cannot be used."""


class PlaceError(CaptionerError):
    """A file or folder, on this machine or on an object store, cannot be read or written."""


class UnwritablePlaceError(PlaceError):
    """Nothing more can be written there, whatever it is: full, over quota, read-only, not allowed, no such bucket."""


class UnreachablePlaceError(PlaceError):
    """An object store does not answer, or answers that it is too busy, although it was asked for two minutes."""


class ScaleError(CaptionerError):
    """A run over many shards cannot go on: another one is at work, shards failed, or the output is another run's."""


class AllRowsFailedError(CaptionerError):
    """Not one picture could be captioned; the message has the first reason."""


class HostError(CaptionerError):
    """The host does not do what it must."""


class JobStoppedError(CaptionerError):
    """The user stopped the job."""

    exit_code = 130
