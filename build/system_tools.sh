#!/bin/sh
# Install what some tests need beside Python: Chromium, mosquitto and its clients, NATS, libcoap's
# client, OpenSSH's server, PostgreSQL, Java (for Spark).
# Where that is impossible say so loudly; the tests then skip, or fail with CI=true.
set -u

has_postgresql() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

has_mosquitto() {
    command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ]
}

has_nats() {
    command -v nats-server >/dev/null || [ -x /usr/sbin/nats-server ]
}

has_libatomic() { # the browser driver's Node needs it
    ldconfig -p 2>/dev/null | grep -q 'libatomic\.so\.1'
}

missing=
has_libatomic || missing="$missing libatomic1"
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium"
has_mosquitto || missing="$missing mosquitto"
command -v mosquitto_sub >/dev/null || missing="$missing mosquitto-clients"
has_postgresql || missing="$missing postgresql"
command -v coap-client-notls >/dev/null || command -v coap-client >/dev/null || missing="$missing libcoap3-bin"
has_nats || missing="$missing nats-server"
[ -x /usr/sbin/sshd ] || command -v sshd >/dev/null || missing="$missing openssh-server"
command -v java >/dev/null || missing="$missing default-jre-headless"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing for the tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # No service is started: the tests start their own, on free ports.
    # shellcheck disable=SC2086
    if { apt-get update -q && RUNLEVEL=1 apt-get install -q -y --no-install-recommends $missing; } </dev/null; then
        exit 0
    fi
fi
echo "############################################################################"
echo "## MISSING:$missing"
echo "## The tests that need them are SKIPPED (with CI=true they fail)."
echo "## As root on Debian or Ubuntu: apt install$missing"
echo "############################################################################"
