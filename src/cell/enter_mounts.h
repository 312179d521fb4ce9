// The file-system steps of cell::enter. Each answers false with errno set.
// Runs in: the clone of the warden, pid 1 of the cell; no heap. See cell/enter.h for the order.
#pragma once

#include "cell/plan.h"

namespace belljar::cell {

struct Channels;

bool stop_propagation();
// What becomes the cell's root; the working directory is its top from here to pivot().
bool mount_root(const LaunchPlan& plan, Channels& channels);
bool mount_system(const LaunchPlan& plan);
bool make_devices(const LaunchPlan& plan);
// The nodes alone, into a folder: of its own, or bound from the host's.
bool make_device_nodes(const char* folder, bool private_nodes);
bool mount_scratch(const LaunchPlan& plan);
bool mount_proc(const LaunchPlan& plan);
bool write_small_files(const LaunchPlan& plan, Channels& channels);
bool write_small_files(const std::vector<SmallFile>& files);
// Everything that a root has before something is mounted there, into the working directory.
bool make_tree(const LaunchPlan& plan);
bool write_files(const LaunchPlan& plan);
// The files of a parked cell's run, written by the program's process itself. `box` leads to /box
// where its mount is read-only, and is closed; -1: the working directory is /box.
bool write_late_files(const std::vector<BundleFile>& files, int box);
bool pivot();
bool make_read_only(const LaunchPlan& plan, Channels& channels);
// Compares type and flags of every mount with what was asked (statfs(2)), and that `..` of the root
// is the root.
bool verify_mounts(const LaunchPlan& plan, const Channels& channels);

}  // namespace belljar::cell
