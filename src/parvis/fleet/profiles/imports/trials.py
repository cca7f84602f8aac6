"""Running the examples of a device repository, with the limits of every codec."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from parvis.fleet.codecs.codec import Codec, InvalidCodec
from parvis.fleet.codecs.examples import CodecExample, Trial, Verdict, try_example
from parvis.fleet.profiles.imports.repository import RepositoryCodec

LARGEST_SCRIPT_BYTES = 2 << 20


class CodecTrials(msgspec.Struct, frozen=True):
    codec: RepositoryCodec
    trials: tuple[Trial, ...]

    @property
    def have_passed(self) -> bool:
        return all(one.verdict is Verdict.PASSED for one in self.trials)

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict is verdict for one in self.trials)


def try_codec(codec: RepositoryCodec) -> CodecTrials:
    return CodecTrials(codec, tuple(_try_scripts(codec)))


def _try_scripts(codec: RepositoryCodec) -> Iterator[Trial]:
    for routine, script in codec.scripts.items():
        try:
            runnable = Codec(read_script(script.path), needs=routine)
        except OSError as error:
            yield from _same(script.examples, Verdict.NO_SCRIPT, error.strerror or str(error))
        except (UnicodeDecodeError, OverflowError) as error:
            yield from _same(script.examples, Verdict.NO_SCRIPT, str(error))
        except InvalidCodec as error:
            yield from _same(script.examples, Verdict.DOES_NOT_START, error.detail)
        else:
            for example in script.examples:
                yield try_example(runnable, example)


def read_script(path: Path) -> str:
    """Raises OSError, UnicodeDecodeError or OverflowError, for one that is too large."""
    if path.stat().st_size > LARGEST_SCRIPT_BYTES:
        raise OverflowError(f"more than {LARGEST_SCRIPT_BYTES >> 20} MiB")
    return path.read_text(encoding="utf-8-sig")


def _same(examples: Iterable[CodecExample], verdict: Verdict, detail: str) -> Iterator[Trial]:
    return (Trial(example, verdict, detail) for example in examples)
