#!/bin/sh
# Certificates for a fleet, signed by authorities that are made for it, one for all and one for what NATS nodes
# show each other; and users.conf, which tells NATS what each may do:
#   fleet-certificates.sh [-w WORKER]… FOLDER [NAME…]
# A WORKER is the name of one (`fleet_name`): with none there are worker-1, worker-2 and worker-3. A NAME is one
# more name or address of the NATS nodes and of PostgreSQL, besides those of deploy/fleet-compose.yaml. Keys and
# certificates that are in the folder stay; users.conf has all workers whose certificates are there. Keys are
# readable by who runs this alone; root gives those of gateways and workers to uid 1000, Belljar's in the image.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
command -v openssl >/dev/null || { echo 'fleet-certificates.sh: openssl is not installed' >&2 && exit 1; }
usage='usage: fleet-certificates.sh [-w WORKER]… FOLDER [NAME…]'
workers=
while getopts w: option; do
  case $option in
    w) workers="$workers $OPTARG" ;;
    *) echo "$usage" >&2 && exit 2 ;;
  esac
done
shift $((OPTIND - 1))
workers=${workers:-worker-1 worker-2 worker-3}
# Before anything is made: it knows what may be a name.
# shellcheck disable=SC2086 # one word each
"$here/nats-users.sh" $workers >/dev/null
folder=${1:?$usage}
shift
days=3650
umask 077
mkdir -p "$folder"
cd "$folder"

# authority NAME: a key and the certificate that others are signed with.
authority() {
  if [ -e "$1.crt" ]; then return; fi
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.crt" \
    -days "$days" -subj "/O=belljar/CN=$1" 2>/dev/null
  chmod 644 "$1.crt"
}

# certificate AUTHORITY NAME NAMES: a key and a certificate for these names.
certificate() {
  if [ -e "$2.crt" ]; then return; fi
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$2.key" -out "$2.csr" \
    -subj "/O=belljar/CN=${2##*/}" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$3" >"$2.ext"
  openssl x509 -req -in "$2.csr" -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days "$days" -extfile "$2.ext" \
    -out "$2.crt" 2>/dev/null
  rm "$2.csr" "$2.ext"
  chmod 644 "$2.crt"
}

names=DNS:localhost,IP:127.0.0.1
for name in "$@"; do
  case $name in
    *[!0-9.]*) names=$names,DNS:$name ;;
    *) names=$names,IP:$name ;;
  esac
done
nodes=$names,DNS:nats-1,DNS:nats-2,DNS:nats-3
authority ca
authority route-ca
certificate ca nats "$nodes"
certificate route-ca route "$nodes"
certificate ca ledger "$names,DNS:ledger"
certificate ca gateway DNS:gateway.belljar
mkdir -p workers
for name in $workers; do
  certificate ca "workers/$name" "DNS:$name.worker.belljar"
done
# shellcheck disable=SC2046 # one word each
"$here/nats-users.sh" $(cd workers && ls -- *.crt | sed 's/\.crt$//') >users.conf
if [ ! -e ledger-password ]; then openssl rand -hex 32 >ledger-password; fi
if [ "$(id -u)" = 0 ]; then
  chown 1000:1000 gateway.key workers/*.key ledger-password
fi
chmod 644 users.conf
chmod 755 . workers
