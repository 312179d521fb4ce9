// The files of a paused session: what is asked of its init, and what that answers.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/bundle.h"
#include "base/text.h"
#include "engine/session.h"

namespace belljar::engine {
namespace {

// Of an answer, besides contents: its head, and a path for each file.
constexpr std::size_t kAnswerSlack = 4 * kKiB;
constexpr std::size_t kListSlack = 2 * kKiB;

Error in_words(const cell::FileAnswer& answer, std::string_view path, std::uint64_t most) {
  const std::string where = "path: " + quote(path) + " ";
  switch (answer.error) {
    case ENOENT:
      return {.code = Code::kNotFound, .message = where + "is not there"};
    case ENOTDIR:
      return {.code = Code::kConflict, .message = where + "leads through what is no folder"};
    case ELOOP:
      return {.code = Code::kConflict,
              .message = where + "is a symbolic link, or leads through one"};
    case EISDIR:
      return {.code = Code::kConflict, .message = where + "is a folder"};
    case ENOTEMPTY:
      return {.code = Code::kConflict, .message = where + "is a folder that is not empty"};
    case EMEDIUMTYPE:
      return {.code = Code::kConflict, .message = where + "is no regular file"};
    case EFBIG:
      return {.code = Code::kInvalid,
              .message = where + "has " + format_bytes(answer.bytes) +
                         ", more than limits.artifacts, " + format_bytes(most)};
    case ENOSPC:
      return {.code = Code::kConflict,
              .message = where + "does not fit: /box is full (limits.box, limits.inodes)"};
    case EROFS:
      return {.code = Code::kDenied, .message = where + "cannot be changed: /box is read-only"};
    case EINVAL:
    case EXDEV:
    case ENAMETOOLONG:
      return {.code = Code::kInvalid, .message = where + "is no path below /box"};
    default:
      break;
  }
  return {.code = Code::kConflict,
          .message = where + "refuses: " + std::generic_category().message(answer.error)};
}

}  // namespace

Result<std::string> Session::ask_files(const cell::FileRequest& request,
                                       std::string_view path,
                                       std::string_view content) {
  if (over_) return fail(Code::kConflict, "the session has ended");
  std::string bytes(reinterpret_cast<const char*>(&request), sizeof request);
  bytes += path;
  bytes += content;
  TRY_ASSIGN(sys::Pipe answer, sys::make_pipe());
  {
    TRY_ASSIGN(const Fd memory, sys::sealed_memfd("belljar-files", bytes));
    TRY(client_.ask_files(id_, memory.get(), answer.write.get()));
  }
  answer.write.reset();
  std::size_t most = kAnswerSlack + request.path_bytes;
  if (request.operation == cell::FileOperation::kRead) most += request.most;
  if (request.operation == cell::FileOperation::kList) most += request.most * kListSlack;
  std::string got;
  std::array<char, 64 * kKiB> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  // It ends with init's answer, or with init: the warden sees to that.
  while (true) {
    std::array<pollfd, 2> waits{};
    waits[0] = {.fd = answer.read.get(), .events = POLLIN, .revents = 0};
    waits[1] = {.fd = over_ ? -1 : client_.fd(), .events = POLLIN, .revents = 0};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (waits[1].revents != 0) TRY(hear_warden());
    if (waits[0].revents == 0) continue;
    const ssize_t count = ::read(answer.read.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    got.append(chunk.data(), static_cast<std::size_t>(count));
    if (got.size() > most) break;
  }
  cell::FileAnswer head;
  if (got.size() < sizeof head + sizeof(BundleEnd) || got.size() > most) {
    stop();
    while (!over_ && hear_warden()) continue;
    if (!over_) over_ = warden::CellReport{};
    return fail(Code::kUnavailable, "the session did not answer about its files, and has ended");
  }
  std::memcpy(&head, got.data(), sizeof head);
  if (head.error != 0) return std::unexpected(in_words(head, path, request.most));
  return got.substr(sizeof head);
}

Result<Session::FileList> Session::list_files() {
  const cell::FileRequest request{.operation = cell::FileOperation::kList, .most = kMostListed};
  TRY_ASSIGN(const std::string bytes, ask_files(request, {}, {}));
  TRY_ASSIGN(const Bundle bundle, parse_bundle(bytes));
  FileList list{.files = {}, .more = bundle.more};
  for (const BundleFile& file : bundle.files) {
    cell::FileState state;
    if (file.content.size() != sizeof state) return fail(Code::kInternal, "files: a wrong state");
    std::memcpy(&state, file.content.data(), sizeof state);
    // A program may date its files as it likes; no clock that it means is later than this.
    constexpr std::int64_t kLast = 253'402'300'799;  // the end of the year 9999
    const std::int64_t seconds = std::clamp<std::int64_t>(state.modified_seconds, 0, kLast);
    const auto thousandths = static_cast<std::int64_t>(state.modified_nanoseconds / 1'000'000);
    list.files.push_back({.path = std::string(file.path),
                          .bytes = state.bytes,
                          .modified_ms = seconds * 1000 + thousandths});
  }
  std::ranges::sort(list.files, {}, &FileList::Entry::path);
  return list;
}

Result<std::string> Session::read_file(std::string_view path, std::uint64_t most) {
  const cell::FileRequest request{.operation = cell::FileOperation::kRead,
                                  .path_bytes = static_cast<std::uint32_t>(path.size()),
                                  .most = most};
  TRY_ASSIGN(const std::string bytes, ask_files(request, path, {}));
  TRY_ASSIGN(const Bundle bundle, parse_bundle(bytes));
  if (bundle.files.size() != 1) return fail(Code::kInternal, "files: not one file");
  return std::string(bundle.files.front().content);
}

Status Session::write_file(std::string_view path, std::string_view content) {
  const cell::FileRequest request{.operation = cell::FileOperation::kWrite,
                                  .path_bytes = static_cast<std::uint32_t>(path.size()),
                                  .content_bytes = content.size()};
  TRY(ask_files(request, path, content));
  return {};
}

Status Session::remove_file(std::string_view path) {
  const cell::FileRequest request{.operation = cell::FileOperation::kRemove,
                                  .path_bytes = static_cast<std::uint32_t>(path.size())};
  TRY(ask_files(request, path, {}));
  return {};
}

}  // namespace belljar::engine
