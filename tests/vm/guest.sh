#!/bin/sh
# Pid 1 of the guest, on its disk: a host with pure cgroup v2 and one job to do; or what systemd as
# pid 1 starts for a job that asks for it. /dev/vdb holds the job as a tar, /dev/vdc takes its results
# as a tar, ttyS1 its output.
bb=/run/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8

# Without systemd: mounts and groups as it makes them. Sets `place`, the job's group, and `become`, by
# which the job is its user.
prepare_host() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mkdir -p /dev/pts /dev/shm
  mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs -o mode=1777 shm /dev/shm
  mount -t tmpfs -o mode=1777 tmp /tmp
  mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
  mount --make-rshared /
  $bb ifconfig lo 127.0.0.1 up
  $bb hostname guest
  # shellcheck disable=SC3045 # dash has it
  ulimit -n 65536

  # As systemd lays it out: every controller down to where an ordinary user's tree begins.
  cgroup=/sys/fs/cgroup
  tree=$cgroup/user.slice/user-1000.slice/user@1000.service
  mkdir -p "$cgroup/init.scope" "$cgroup/system.slice/job.service" \
    "$tree/job.service/belljar-supervisor"
  echo 1 >"$cgroup/init.scope/cgroup.procs"
  for folder in "$cgroup" "$cgroup/system.slice" "$cgroup/user.slice" \
    "$cgroup/user.slice/user-1000.slice"; do
    echo '+cpu +memory +pids' >"$folder/cgroup.subtree_control"
  done
  chown -R 1000:1000 "$tree"
  for folder in "$tree" "$tree/job.service"; do
    echo '+cpu +memory +pids' >"$folder/cgroup.subtree_control"
  done
  chown -R 1000:1000 /results /home/tester
  if [ "$job_user" = root ]; then
    place=$cgroup/system.slice/job.service
  else
    # Delegate=yes with DelegateSubgroup=belljar-supervisor.
    place=$tree/job.service/belljar-supervisor
    become='setpriv --reuid=1000 --regid=1000 --init-groups --reset-env'
  fi
}

if [ "${1:-}" != job ]; then
  mkdir -p /work /results
  tar -xf /dev/vdb -C /work
fi
cd /work || exit 1
job_user=root
job_seconds=600
place=''
become=''
# shellcheck disable=SC1091 # comes with the job
. ./job.env
if [ "$job_user" != systemd ]; then
  prepare_host
elif [ "${1:-}" != job ]; then
  # It mounts and sets all of that by itself.
  units=/etc/systemd/system
  mkdir -p $units
  cp tests/vm/units/job.service $units/
  exec /lib/systemd/systemd --unit=job.service --crash-reboot
fi
$bb stty -F /dev/ttyS1 raw -echo
# Through a pipe, so that the job does not find itself on a terminal.
{
  timeout --kill-after=10 "$job_seconds" \
    sh -c "${place:+echo \$\$ >$place/cgroup.procs &&} exec $become sh ./job.sh" </dev/null 2>&1
  echo $? >/run/code
} | cat >/dev/ttyS1
code=$(cat /run/code)
tar -cf /dev/vdc -C /results .
sync
echo "guest: job ended with $code" >/dev/console
printf '\nguest: exit %s\n' "$code" >/dev/ttyS1
$bb poweroff -f
