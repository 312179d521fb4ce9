// Pool: finished cells that wait, every lock on, for a run of their class.
//
// A class is everything of a spec that a cell is built from: its mounts, limits, policy and walls,
// but not the program, its files and its streams. The latest classes are kept filled, in quiet
// moments; a cell that has waited for long, or that the host's memory has no room for, is let go.
//
// Runs in: warden.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cell/host.h"
#include "warden/cell_run.h"
#include "warden/resources.h"
#include "warden/zygote.h"

namespace belljar::warden {

class Pool {
 public:
  Pool(const cell::Host& host, ResourceMaker& maker) : host_(host), maker_(maker) {}

  // Keeps up to `cells` waiting in all; zero, the beginning, keeps none.
  void resize(unsigned cells) { size_ = cells; }
  [[nodiscard]] unsigned size() const { return size_; }

  // Whether runs of this kind may come from a parked cell: a terminal, or a limit that the
  // hand-over itself would pass, need a cell of their own.
  static bool serves(const cell::CellSpec& spec, const Bundle& files);
  // A run like this one comes. The second time, or at once where it is sure that more will come,
  // its class is kept filled from then on.
  void expect(const cell::CellSpec& spec, bool surely);
  // Whether a cell of its class waits.
  [[nodiscard]] bool has_ready(const cell::CellSpec& spec) const;
  // A waiting cell of the class of `spec`, or one that a zygote is about to make; null when there
  // is none.
  std::unique_ptr<CellRun> take(const cell::CellSpec& spec);

  // Makes one cell if one is wanted and it is time for it: now, or when `quiet`.
  void fill(bool quiet);
  // Whether a quiet moment would be of use.
  [[nodiscard]] bool wants_more();
  // Lets go of what has waited for too long or died; CLOCK_MONOTONIC. Gives away what still has to
  // be watched to its end.
  std::vector<std::unique_ptr<CellRun>> sort_out(Nanoseconds now);
  std::vector<std::unique_ptr<CellRun>> drain();

  // The zygotes' sockets, for the server's loop, and what one of them says.
  template <typename Visit>
  void each_zygote(Visit visit) {
    for (auto& [key, nest] : nests_) {
      for (auto* zygote : {&nest.now, &nest.next}) {
        if (*zygote != nullptr && !(*zygote)->has_failed()) visit(**zygote);
      }
    }
  }

  // Has zygotes that are ready take the places of those before them.
  void promote();

  // Every cell, for the server's loop.
  template <typename Visit>
  void each(Visit visit) {
    for (auto& [key, kind] : classes_) {
      for (const std::unique_ptr<CellRun>& cell : kind.cells) visit(*cell);
    }
  }

 private:
  struct Class {
    cell::CellSpec spec;
    std::deque<std::unique_ptr<CellRun>> cells;  // longest waiting first
    Nanoseconds used{};                          // when a run of it came last
    Nanoseconds retry{};                         // not before: the last one could not be made
    unsigned wishes = 0;                         // runs of it, and preparations for them
    // What came once may never come again.
    [[nodiscard]] bool is_wanted() const { return wishes >= kWishes; }
    static constexpr unsigned kWishes = 2;
  };

  // The zygotes of one interpreter and its modules.
  struct Nest {
    std::unique_ptr<Zygote> now;   // ready
    std::unique_ptr<Zygote> next;  // takes its place when it is ready
    Nanoseconds retry{};           // not before: the last one failed
    Nanoseconds used{};            // when a run came last
    bool stays = false;            // somebody is sure that runs will come
  };

  // Where the zygote for runs of this class is, or will be; null where it has none.
  Nest* nest_of(const cell::CellSpec& spec);
  Result<std::unique_ptr<CellRun>> make(const cell::CellSpec& spec);
  void tend(Nest& nest, const cell::CellSpec& spec, Nanoseconds now);
  [[nodiscard]] unsigned share() const;
  Class* next_to_fill(bool quiet);
  [[nodiscard]] bool is_building() const;
  [[nodiscard]] bool memory_is_scarce();

  const cell::Host& host_;
  ResourceMaker& maker_;
  unsigned size_ = 0;
  Nanoseconds memory_looked_{};  // when memory was looked at last
  bool scarce_ = false;          // and what was found
  std::map<std::string, Class> classes_;
  std::map<std::string, Nest> nests_;
};

}  // namespace belljar::warden
