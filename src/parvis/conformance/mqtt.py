"""The MQTT broker of the suite. It asks docker for one; a mosquitto on this machine does as well."""

import os
import shlex
import shutil
import stat
from pathlib import Path

_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

_DOCKER = r"""#!/bin/sh
# Stands for docker where the suite starts and stops its MQTT broker.
cd {folder} || exit 1
end() {{
    [ -f pid ] || return 0
    kill "$(cat pid)" 2>/dev/null
    while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.05; done
    rm -f pid
}}
end
[ "$1" = run ] || exit 0
configuration=mosquitto.conf
for word in "$@"; do
    case "$word" in CONF=*) configuration="${{word#CONF=}}" ;; esac
done
sed -e 's#^listener .*##' -e "s#^password_file.*#password_file $PWD/passwords#" {configuration}/"$configuration" > conf
printf '\nuser %s\nlistener 1883 %s\nlistener %s %s\n' "$(id -un)" {host} {port} {host} >> conf
cp {configuration}/mosquitto_pwd passwords
chmod 600 passwords
{mosquitto} -c conf > log 2>&1 &
echo $! > pid
sleep 0.5
"""


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto", path=_SEARCH_PATH)


def write_docker(folder: Path, mosquitto: str, configuration: Path, host: str, port: int) -> None:
    """A program `docker` in `folder` that runs mosquitto on two ports of `host`: the protocol's own and `port`."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker"
    words = {"folder": folder, "mosquitto": mosquitto, "configuration": configuration, "host": host, "port": port}
    program.write_text(_DOCKER.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
