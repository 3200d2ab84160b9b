"""People's notes on a run: a text and tags, in a separate file that no result depends on."""

import json
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, CorruptFileError
from .atomic import write_file

NOTE = "note.json"
"""Name of the file in a run folder."""

LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 2_000, 40, 20


class Note(NamedTuple):
    """A note on a run.

    Attributes:
        text: Text of the note.
        tags: Words to find the run by.
    """

    text: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, tags: str) -> "Note":
        """Make a note from a text and comma-separated tags.

        Raises:
            ConfigError: A text or tag is too long, or there are too many tags.
        """
        words = tuple(dict.fromkeys(word for part in tags.split(",") if (word := " ".join(part.split()))))
        if len(text) > LONGEST_NOTE:
            raise ConfigError("note", got=f"{len(text):,} characters", expected=f"at most {LONGEST_NOTE:,}")
        if len(words) > MOST_TAGS:
            raise ConfigError("tags", got=len(words), expected=f"at most {MOST_TAGS}")
        if any(len(word) > LONGEST_TAG for word in words):
            raise ConfigError(
                "tags", got=max(words, key=len), expected=f"at most {LONGEST_TAG} characters each"
            )
        return cls(text.strip(), words)


def note_of(folder: Path) -> Note:
    """Return the note on the run in ``folder``; empty if there is no file.

    Raises:
        CorruptFileError: The file cannot be read.
    """
    path = folder / NOTE
    try:
        content = json.loads(path.read_bytes())
        return Note(str(content["text"]), tuple(str(tag) for tag in content["tags"]))
    except FileNotFoundError:
        return Note()
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise CorruptFileError(f"{path} cannot be read", fix="delete it, or write the note again") from e


def write_note(folder: Path, note: Note) -> None:
    """Replace the note on the run in ``folder``.

    Raises:
        StorageError: It could not be written.
    """
    write_file(folder / NOTE, json.dumps(note._asdict(), ensure_ascii=False).encode() + b"\n")
