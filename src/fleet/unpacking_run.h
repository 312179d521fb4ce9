// UnpackingRun: an archive that a worker unpacks, told of as of a run.
#pragma once

#include <string>
#include <utility>

#include "engine/runner.h"

namespace belljar::fleet {

// kUnavailable where it is not what an unpacker gives back: a worker is believed no more than that.
Result<std::vector<File>> check_unpacked(std::vector<File> files);

class UnpackingRun : public engine::RunListener {
 public:
  UnpackingRun(std::string id, engine::Unpacking unpacking)
      : id_(std::move(id)), unpacking_(std::move(unpacking)) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  bool on_start(std::uint64_t /*attempt*/) override { return true; }
  [[nodiscard]] engine::Input input() const override {
    return {.kind = engine::Input::Kind::kBytes, .bytes = unpacking_.archive};
  }
  Result<Fd> open_control() override { return fail(Code::kInternal, "an archive is no program"); }
  void forward_control(std::function<void(const engine::InputControl&)> /*sink*/) override {}
  [[nodiscard]] bool may_begin_again() const override { return true; }
  void on_end(Result<Outcome> outcome) override {
    if (!outcome) return unpacking_.done(std::unexpected(outcome.error()));
    unpacking_.done(check_unpacked(std::move(outcome->artifacts)));
  }
  void on_give_up(const Error& error) override { unpacking_.done(std::unexpected(error)); }

 private:
  const std::string id_;
  const engine::Unpacking unpacking_;
};

}  // namespace belljar::fleet
