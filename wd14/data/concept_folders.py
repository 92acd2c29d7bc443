"""Names of the output's folders where trainers want one for each concept."""

from __future__ import annotations

from wd14.concepts import concept_folder
from wd14.data.output_names import OutputNames, safe_name
from wd14.data.sources.splits import split_of_folder, without_split_words
from wd14.text import printable
from wd14.types import Log


class ConceptFolders:
    """Gives each picture's folder in the source a folder of the output, below that of the split.

    Costs a look-up for each row, and keeps a name for each concept.

    Args:
        top: the folder of pictures that lie in none; a trainer would take those of the other folders for theirs, if
            they lay above them.
        log: is told of folders that get another name.
    """

    def __init__(self, top: str, log: Log) -> None:
        self._top = top
        self._log = log
        self._names = OutputNames(None)
        self._folders: dict[str, str] = {}
        self._concepts: dict[str, str] = {}

    def of(self, path: str) -> str:
        """The folder for a picture, as one name.

        Args:
            path: the picture's folder within the dataset, its split's folder included; empty = the dataset's own.
        """
        found = self._folders.get(path)
        if found is None:
            first, _, rest = path.partition("/")
            inner = rest if split_of_folder(first) else path
            found = self._folders[path] = self._folder_of(concept_folder(inner) or self._top)
        return found

    def _folder_of(self, concept: str) -> str:
        found = self._concepts.get(concept)
        if found is None:
            name = without_split_words(safe_name(concept)) or "folder"
            found, _ = self._names.take(name, as_png=False)
            self._concepts[concept] = found
            if found != concept:
                self._log(f"The folder {printable(concept)} is called {found} in the new dataset")
        return found
