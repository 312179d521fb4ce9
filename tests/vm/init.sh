#!/bin/busybox sh
# shellcheck shell=dash
# First program of the guest: loads drivers, mounts the disk, hands over to guest.sh on it.
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
while read -r module; do
  $bb insmod "/modules/$module" || echo "guest: cannot load $module"
done </modules/order
tries=0
until [ -b /dev/vdc ] || [ $tries -ge 100 ]; do
  $bb usleep 50000
  tries=$((tries + 1))
done
$bb mount -t ext4 -o rw,noatime /dev/vda /disk || {
  echo "guest: no disk"
  $bb poweroff -f
}
$bb mount -t tmpfs -o mode=755 run /disk/run
$bb cp /guest.sh /bin/busybox /disk/run/
$bb umount /proc /sys
$bb mount --move /dev /disk/dev
exec $bb switch_root /disk /bin/sh /run/guest.sh
