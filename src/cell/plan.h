// LaunchPlan: everything the child needs, computed and allocated before it is cloned.
//
// After clone the child shares nothing but a copy of the warden's memory and must not allocate: it
// only walks these arrays. The plan borrows the spec's bytes and owns the rest.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bundle.h"
#include "base/result.h"
#include "cell/host.h"
#include "cell/spec.h"

namespace belljar::cell {

// A directory of the host that appears read-only in the cell, through an overlay of its own.
struct OverlayMount {
  std::string source;   // "/usr"
  std::string target;   // "usr": relative to the new root
  std::string options;  // "lowerdir=/usr:…"
  // Where headers lie over it: the same without them, for a file system that cannot be a layer.
  std::string plain_options;
};
struct Link {
  std::string target;
  std::string path;  // relative to the new root
};
struct SmallFile {
  std::string path;  // relative to the new root
  std::string content;
  bool executable = false;
};
struct Scratch {
  const char* target;   // "box", relative to the new root
  std::string options;  // tmpfs(5): size, nr_inodes, mode, owner
  bool writable = true;
};
struct ResourceLimit {
  int resource;
  rlim_t soft;
  rlim_t hard;
};
struct LandlockRule {
  std::string path;
  std::uint64_t access;
};

// Where the cell's identity comes from.
struct Identity {
  uid_t user = 0;
  uid_t init = 0;
  bool nested_user_namespace = false;  // one uid only: the cell gets a user namespace of its own
  uid_t outside = 0;                   // what `user` is to the warden
};

// Descriptors of the warden's that the child inherits; all close-on-exec, none owned here.
struct LaunchFds {
  int report = -1;   // to the warden: what failed, and the seccomp listener
  int control = -1;  // init's end of its socket
  int park = -1;     // where a parked cell's program process waits for its run; -1: run at once
  int in = -1, out = -1, err = -1;
  int program = -1;  // -1: by path
  int init_image = -1;
  int net = -1;  // -1: a fresh network namespace is cloned
  int init_birthplace = -1;
  int user_birthplace = -1;
  std::vector<int> init_tasks;
  std::vector<int> user_tasks;
};

// What the program's process of a parked cell becomes when its run comes, if not by execution: an
// interpreter that is already up. Runs in: the cell, as pid 2, behind every lock.
class Interpreter {
 public:
  virtual ~Interpreter() = default;
  // First of all: it is in another process now.
  virtual void wake() = 0;
  // Before a wait that may be long: what the run would otherwise have to do first.
  virtual void rehearse() = 0;
  // Runs the program and ends the process. Returns only when this run is not for it: then the
  // program is executed. `report` is to be closed when the program's first instruction comes.
  virtual void run(const CellSpec& spec, int report) = 0;
};

// What a parked cell has to be a warm one.
struct Warmth {
  // Of a zygote's, besides what the zygote is itself.
  std::string devices;
  std::string root_layers;  // "lowerdir=…": a root that is there already
  Interpreter* interpreter = nullptr;
  std::uint64_t thread_id = 0;  // address of the C library's own thread id
  // An interpreter that is executed there, ahead of its program.
  std::string waiting_file;
  std::string waiting_folder;  // where it begins
  std::vector<std::string> waiting_argv, waiting_env;
  std::vector<SmallFile> files;  // that it needs for that
};

// The cgroups that wait for the cell.
struct CgroupPlace {
  WallSet walls;
  std::string mark;    // the end of the slot's path in every hierarchy
  unsigned count = 0;  // hierarchies
};

// What the root has of a program's user: /etc/passwd and /etc/group.
std::vector<SmallFile> user_files(uid_t user);

struct LaunchPlan {
  LaunchFds fds;
  Identity identity;
  WallSet walls;  // those that this launch puts up
  std::vector<OverlayMount> overlays;
  std::vector<Link> links;
  std::vector<SmallFile> small_files;
  std::vector<Scratch> scratches;
  std::vector<BundleFile> files;        // for /box; views
  std::vector<std::string> file_paths;  // NUL-terminated twins of files[i].path
  std::vector<ResourceLimit> rlimits;
  std::vector<LandlockRule> landlock_rules;
  std::uint64_t landlock_handled = 0;
  std::uint64_t landlock_scoped = 0;
  std::span<const sock_filter> user_filter;
  bool user_filter_counts = false;      // user_filter notifies: a listener is handed to the warden
  bool listener_wait_killable = false;  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, kernel 5.19
  std::string uid_map;                  // for a nested user namespace
  std::string time_offsets;             // for /proc/self/timens_offsets
  std::string cgroup_mark;              // "/belljar/c17": in so many lines of /proc/self/cgroup …
  unsigned cgroup_count = 0;            // … the program's process must find it
  std::string devices;  // a folder of device nodes of the cell's own; empty: they are made
  // Options of the overlay that is the root, with all its links and files; empty: it is a tmpfs.
  std::string root_layers;
  bool loopback = true;
  bool terminal = false;
  Interpreter* interpreter = nullptr;  // of a parked cell; null: its program is executed
  std::uint64_t thread_id = 0;         // Warmth::thread_id
  std::vector<std::string> texts;      // backing of the vectors below
  std::vector<char*> argv, envp, init_argv;
  std::string waiting_file, waiting_folder;  // Warmth; empty: none
  std::vector<char*> waiting_argv, waiting_envp;
};

// The walls that a cell of `spec` gets here, given those of its cgroups.
WallSet launch_walls(const Host& host, const CellSpec& spec, WallSet cgroup_walls);

// Computes the plan. kDenied names the walls of `spec.require` that this host cannot give,
// kUnavailable a mount of the spec that does not exist.
Result<std::unique_ptr<LaunchPlan>> make_plan(const Host& host,
                                              const CellSpec& spec,
                                              const Bundle& files,
                                              const Identity& identity,
                                              const LaunchFds& fds,
                                              const CgroupPlace& cgroups,
                                              const Warmth& warmth = {});

}  // namespace belljar::cell
