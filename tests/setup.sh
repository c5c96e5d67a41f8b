#!/usr/bin/env bash
# Installs what the tests run besides Python's packages: tests/setup.sh quick|check|test|faults
# `make` calls it. With apt-get and the right to use it, it installs what is missing; elsewhere it
# says the one command to type.
set -euo pipefail

parts() { # the target that needs it first, a program, the packages of Debian and of Homebrew
    while read -r part; do echo "$part"; done <<'END'
quick  venv        python3-venv  python
test   java        JDK           openjdk@17
test   mvn         maven         maven
test   prometheus  prometheus    prometheus
test   promtool    prometheus    prometheus
test   ps          procps        -
test   curl        curl          curl
test   chromium    chromium      chromium
faults javac       JDK           openjdk@17
faults kcat        kcat          kcat
check  node        nodejs        node
check  npm         npm           node
faults go          golang-go     go
END
}

is_here() {
    case $1 in
        venv) [[ -x .venv/bin/python ]] || python3 -c "import ensurepip" 2>/dev/null ;;
        java | javac)
            command -v "$1" >/dev/null && [[ $("$1" -version 2>&1) =~ [\ \"]([0-9]+) ]] \
                && ((BASH_REMATCH[1] >= 17)) ;;
        go) # what clickhouse-go asks for
            command -v go >/dev/null && [[ $(go version) =~ go1\.([0-9]+) ]] \
                && ((BASH_REMATCH[1] >= 25)) ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing() { # 1: Debian's packages, 2: Homebrew's
    local needed=" $targets " found=" " target program debian brew package
    while read -r target program debian brew; do
        [[ $needed == *" $target "* ]] && ! is_here "$program" || continue
        if (($1 == 1)); then package=$debian; else package=$brew; fi
        [[ $package == - || $found == *" $package "* ]] || found+="$package "
    done < <(parts)
    found=${found# }
    echo "${found% }"
}

named() { # Debian 12 has Java 17, later releases have newer ones only
    local java=17 version
    for version in 25 21 17; do
        if [[ $(apt-cache policy "openjdk-$version-jdk-headless") == *"Candidate: "[0-9]* ]]; then
            java=$version
        fi
    done 2>/dev/null
    echo "${packages/JDK/openjdk-$java-jdk-headless}"
}

case ${1-} in
    quick) targets="quick" ;;
    test) targets="quick test" ;;
    check) targets="quick check" ;;
    faults) targets="quick check test faults" ;;
    *) echo "usage: tests/setup.sh quick|check|test|faults" >&2; exit 2 ;;
esac
packages=$(missing 1)
[[ $packages ]] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "The tests run programs that are not here; make $1 goes on once they are. Type:" >&2
    echo "brew install $(missing 2)" >&2
    echo "(or what your system calls these packages of Debian: $(named))" >&2
    exit 1
fi
as_root=
if (($(id -u) != 0)); then as_root="sudo -n"; fi
if ! $as_root true 2>/dev/null; then
    echo "The tests run programs that are not here, and this user may not install them. Type:" >&2
    echo "sudo apt-get install $(named)" >&2
    exit 1
fi
echo "installing ${packages/JDK/a JDK}" >&2
$as_root apt-get update -qq
# shellcheck disable=SC2046  # words on purpose
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $(named) >/dev/null
