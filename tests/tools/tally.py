"""Promises of a check: a line for each, and at the end how many held."""
import time

passed = failed = 0


def check(name, true, detail=''):
    global passed, failed
    passed += bool(true)
    failed += not true
    print(f'{"ok  " if true else "FAIL"} {name} {detail}', flush=True)
    return true


def wait(seconds, condition):
    """What condition() gives as soon as it holds; None when it does not within these seconds. A server that is not
    there yet, or an answer that is not whole, is no."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if value := condition():
                return value
        except (OSError, ValueError, LookupError):
            pass
        time.sleep(0.05)
    return None


def any_failed():
    return failed > 0


def end():
    """Prints the closing line; the exit status."""
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0
