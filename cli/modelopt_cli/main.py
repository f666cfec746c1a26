"""The way in and the way out: arguments to a command, whatever is raised to an exit code."""

from __future__ import annotations

import signal
import sys

from modelopt_cli import collecting

# what takes time is imported inside `run`, where an interrupt is expected; `typing` takes time
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from compress_core.errors import ModelOptError
    from modelopt_cli.console import Output

_NO, _BUG, _INTERRUPTED, _TERMINATED = 1, 70, 130, 143


class Terminated(BaseException):
    """SIGTERM came; like ``KeyboardInterrupt`` raised so that all on the way out can clean up."""


def main() -> None:
    """The command ``modelopt``."""
    collecting.pause()
    code = run(sys.argv[1:])
    collecting.end()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; the exit code. Nothing is raised from here."""
    try:
        signal.signal(signal.SIGTERM, _terminate)
        return _run(arguments)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would break the silence
        return _INTERRUPTED
    except Terminated:
        return _TERMINATED


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would stop the cleaning
    raise Terminated


def _run(arguments: list[str]) -> int:
    output = None
    try:
        if arguments == ["--version"]:  # known before a console could be imported
            _version()
        else:
            output = _console()
            _invoke(arguments, output)
    except Exception as error:
        signalled = _signal_in(error)
        if signalled is not None:
            raise signalled from None
        return _exit_code(error, output or _console())
    return 0


def _signal_in(error: BaseException) -> BaseException | None:
    """The signal behind an error: Python 3.11 wraps what is raised while a class is being made."""
    cause = error.__cause__
    while cause is not None and not isinstance(cause, (KeyboardInterrupt, Terminated)):
        cause = cause.__cause__
    return cause


def _version() -> None:
    from modelopt_cli.computing import version_line
    from modelopt_cli.stdout import write_result

    write_result(sys.stdout, version_line())


def _console() -> Output:
    from modelopt_cli.console import Output

    return Output()


def _invoke(arguments: list[str], output: Output) -> None:
    from modelopt_cli.group import completes, modelopt

    if not completes():
        with modelopt.make_context("modelopt", arguments, obj=output) as context:
            modelopt.invoke(context)


def _exit_code(error: Exception, output: Output) -> int:
    """What ``error`` means for the process, after it has been told to the person."""
    from click import UsageError as ClickUsageError
    from click.exceptions import Exit

    from compress_core.errors import ModelOptError
    from modelopt_cli.stdout import ReaderGoneError
    from modelopt_cli.usage import in_our_words

    if isinstance(error, ReaderGoneError):
        return 0
    if isinstance(error, Exit):
        return error.exit_code
    if isinstance(error, ClickUsageError):
        error = in_our_words(error)
    if not isinstance(error, ModelOptError):
        return _bug(error, output)
    output.error(error)
    code = _code_of(error)
    if code != _NO:  # each gate that failed has an annotation of its own
        _tell_machines(error, output)
    return code


def _tell_machines(error: ModelOptError, output: Output) -> None:
    """What GitHub and the readers of reports learn where there is no verdict."""
    output.annotate(error)
    if output.reports:
        from modelopt_cli.outcome import report_error

        report_error(error, output.reports)


def _code_of(error: ModelOptError) -> int:
    from compress_core.errors import GateError, InputError, OutputError, UsageError

    codes = {GateError: _NO, UsageError: 2, InputError: 3, OutputError: 4}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), _BUG)


def _bug(error: Exception, output: Output) -> int:
    import traceback

    from modelopt_cli.bug import as_bug

    bug = as_bug(error)
    output.error(bug)
    _tell_machines(bug, output)
    if output.verbose:
        output.traceback("".join(traceback.format_exception(error)))
    return _BUG
