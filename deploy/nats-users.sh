#!/bin/sh
# Who may say and hear what in NATS: prints the users of the account BELLJAR, for deploy/nats.conf to include.
#   nats-users.sh NAME… >users.conf
# A NAME is a worker's, its setting `fleet_name`: its certificate has the name NAME.worker.belljar. A gateway's has
# gateway.belljar.
set -eu

cat <<END
users: [
  # Gateways submit, record, and make the streams.
  {
    user: "gateway.belljar"
    permissions {
      publish: ["belljar.>", "\$JS.API.>", "\$JS.ACK.>", "\$O.belljar.>"]
      subscribe: ["belljar.>", "_INBOX.gateway.>"]
    }
  }
END

# Where `fleet_streams` of the gateways is more than 1.
more=
for number in 1 2 3 4 5 6 7; do
  stream=BELLJAR_WORK_$number
  more="$more        \"\$JS.API.STREAM.INFO.$stream\", \"\$JS.API.CONSUMER.DURABLE.CREATE.$stream.*\", \"\$JS.API.CONSUMER.MSG.NEXT.$stream.*\", \"\$JS.ACK.$stream.>\"
"
done

# A worker holds hostile code. It takes work, tells under its own name how it goes, and can neither submit, give
# orders, take away what others did, nor hear them. docs/operations.md, "NATS of a fleet", has what is left to it.
for name in "$@"; do
  case $name in
    '' | *[!a-z0-9_-]*) echo "nats-users.sh: not a worker's name: $name" >&2 && exit 2 ;;
  esac
  cat <<END
  {
    user: "$name.worker.belljar"
    permissions {
      publish: [
        "belljar.workers.$name.*"              # that it is there
        "belljar.gateway.*.told.$name.*.*"     # how a run goes
        "belljar.gateway.*.event.$name.*.*"
        "belljar.gateway.*.done.$name.*.*"
        "belljar.gateway.*.end.$name.*.*"
        "\$JS.API.STREAM.INFO.BELLJAR_WORK"                # whether the streams are there
        "\$JS.API.STREAM.INFO.BELLJAR_ENDS"
        "\$JS.API.STREAM.INFO.BELLJAR_EVENTS"
        "\$JS.API.STREAM.INFO.OBJ_belljar"
        "\$JS.API.CONSUMER.DURABLE.CREATE.BELLJAR_WORK.*"  # its pool's
        "\$JS.API.CONSUMER.MSG.NEXT.BELLJAR_WORK.*"
        "\$JS.ACK.BELLJAR_WORK.>"
$more
        "\$JS.API.STREAM.MSG.GET.OBJ_belljar"              # large inputs
        "\$O.belljar.C.*"                 # large outcomes
        "\$O.belljar.M.*"
      ]
      subscribe: [
        "belljar.order.$name.*"                # runs that it was chosen for
        "belljar.heard.$name.*"                # ends of its that are recorded
        "belljar.session.$name.*"              # what is asked of sessions that it holds
        "belljar.control.$name.*.*"            # signals and input
        "belljar.cancel.*"
        "belljar.wake.*"
        "belljar.call"                         # who is there?
        "_INBOX.worker.$name.>"
      ]
    }
  }
END
done
echo ]
