#include "cell/spec.h"

#include <algorithm>

#include "base/glob.h"
#include "base/wire.h"
#include "model/submission.h"

namespace belljar::cell {
namespace {

constexpr std::uint32_t kSpecMagic = 0x314c4c42;
constexpr std::uint32_t kMaxTexts = 8192;
constexpr std::size_t kMaxMounts = 32;
constexpr std::size_t kMaxGlobs = 32;

// Only what has no meaning of its own to a path: no "..", no ".", no "//", no control character.
bool is_plain_absolute(std::string_view path) {
  return path.starts_with('/') && path.size() > 1 && check_path(path.substr(1)).has_value();
}

bool is_module_name(std::string_view name) {
  const auto ordinary = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 100 && std::ranges::all_of(name, ordinary);
}

bool has_nul(const std::vector<std::string>& texts) {
  return std::ranges::any_of(
      texts, [](const std::string& text) { return text.find('\0') != std::string::npos; });
}

}  // namespace

bool can_show(std::string_view headers) {
  return is_plain_absolute(headers) && headers.find_first_of(",:\\") == headers.npos &&
         headers != "/tmp" && !headers.starts_with("/tmp/");
}

std::string encode(const CellSpec& spec, std::string_view bundle) {
  WireWriter out;
  out.put(kSpecMagic);
  out.put_texts(spec.argv);
  out.put_texts(spec.env);
  out.put_texts(spec.mounts);
  out.put_text(spec.headers);
  out.put_texts(spec.artifacts);
  out.put_text(spec.profile);
  out.put(spec.limits);
  out.put(spec.writable_box);
  out.put(spec.writable_tmp);
  out.put(spec.loopback);
  out.put(spec.terminal);
  out.put(spec.program_by_descriptor);
  out.put(spec.without.bits());
  out.put(spec.require.bits());
  out.put_texts(spec.interpreter);
  out.put(spec.interpreter_kind);
  out.put_texts(spec.preload);
  out.put_texts(spec.interpreter_env);
  return out.bytes() + std::string(bundle);
}

Result<DecodedSpec> decode(std::string_view bytes) {
  WireReader in(bytes);
  DecodedSpec decoded;
  CellSpec& spec = decoded.spec;
  const auto flag = [&in] { return in.take<std::uint8_t>() != 0; };
  if (in.take<std::uint32_t>() != kSpecMagic) return fail(Code::kInvalid, "spec: bad magic");
  spec.argv = in.take_texts(kMaxTexts);
  spec.env = in.take_texts(kMaxTexts);
  spec.mounts = in.take_texts(kMaxTexts);
  spec.headers = in.take_text();
  spec.artifacts = in.take_texts(kMaxTexts);
  spec.profile = in.take_text();
  spec.limits = in.take<Limits>();
  spec.writable_box = flag();
  spec.writable_tmp = flag();
  spec.loopback = flag();
  spec.terminal = flag();
  spec.program_by_descriptor = flag();
  spec.without = WallSet::from_bits(in.take<std::uint32_t>());
  spec.require = WallSet::from_bits(in.take<std::uint32_t>());
  spec.interpreter = in.take_texts(kMaxTexts);
  const auto kind = in.take<std::uint8_t>();
  if (kind > static_cast<std::uint8_t>(kLastInterpreterKind)) {
    return fail(Code::kInvalid, "spec: no such kind of interpreter");
  }
  spec.interpreter_kind = static_cast<InterpreterKind>(kind);
  spec.preload = in.take_texts(kMaxTexts);
  spec.interpreter_env = in.take_texts(kMaxTexts);
  if (!in.ok()) return fail(Code::kInvalid, "spec: ends too early or a list is too long");
  decoded.bundle = in.rest();
  return decoded;
}

Status check_spec(const CellSpec& spec, const Bundle& files, const Limits& maximum) {
  if (spec.argv.empty() || !is_plain_absolute(spec.argv.front())) {
    return fail(Code::kInvalid, "argv: the program must be an absolute path");
  }
  if (has_nul(spec.argv) || has_nul(spec.env)) {
    return fail(Code::kInvalid, "argv, env: must not contain a NUL byte");
  }
  if (!spec.interpreter.empty() && !is_plain_absolute(spec.interpreter.front())) {
    return fail(Code::kInvalid, "interpreter: must be an absolute path");
  }
  if (spec.preload.size() > kMaxPreload || !std::ranges::all_of(spec.preload, is_module_name)) {
    return fail(Code::kInvalid,
                "preload: at most " + std::to_string(kMaxPreload) + " names of modules");
  }
  if (has_nul(spec.interpreter) || has_nul(spec.interpreter_env)) {
    return fail(Code::kInvalid, "interpreter, interpreter_env: must not contain a NUL byte");
  }
  std::size_t bytes = 0;
  for (const auto* texts : {&spec.argv, &spec.env, &spec.interpreter, &spec.interpreter_env}) {
    for (const std::string& text : *texts) {
      if (text.size() > kMaxArgBytes) {
        return fail(Code::kInvalid,
                    "argv, env: one string is over " + std::to_string(kMaxArgBytes) + " bytes");
      }
      bytes += text.size() + 1 + sizeof(char*);
    }
  }
  if (bytes > kMiB) return fail(Code::kInvalid, "argv, env: over 1 MiB in all");
  if (spec.mounts.size() > kMaxMounts || !std::ranges::all_of(spec.mounts, is_plain_absolute)) {
    return fail(Code::kInvalid,
                "mounts: at most " + std::to_string(kMaxMounts) + " plain absolute paths");
  }
  if (!spec.headers.empty() && !can_show(spec.headers)) {
    return fail(Code::kInvalid,
                "headers: must be a plain absolute path outside /tmp, without , : \\");
  }
  if (spec.artifacts.size() > kMaxGlobs) {
    return fail(Code::kInvalid, "artifacts: at most " + std::to_string(kMaxGlobs) + " globs");
  }
  for (const std::string& glob : spec.artifacts) {
    if (glob.empty() || glob.size() > kMaxGlobLength || glob.find('\0') != std::string::npos) {
      return fail(Code::kInvalid,
                  "artifacts: a glob has 1 to " + std::to_string(kMaxGlobLength) + " bytes");
    }
  }
  for (const LimitField& field : limit_fields()) {
    const bool zero = field.duration != nullptr ? spec.limits.*field.duration <= Nanoseconds{}
                                                : spec.limits.*field.number == 0;
    if (zero) return fail(Code::kInvalid, std::string(field.name) + ": must be over zero");
  }
  TRY(check_within(spec.limits, maximum));
  if (files.files.size() > kMaxFiles) {
    return fail(Code::kInvalid, "files: over " + std::to_string(kMaxFiles));
  }
  for (const BundleFile& file : files.files) TRY(check_path(file.path));
  return {};
}

}  // namespace belljar::cell
