#include "runtime/stages.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "runtime/imports.h"
#include "runtime/template.h"

namespace belljar::runtime {
namespace {

using Strings = std::vector<std::string>;

constexpr std::string_view kBox = "/box";

constexpr std::array<std::string_view, 6> kBaseEnvironment{
    "PATH=/usr/local/bin:/usr/bin:/bin",
    "HOME=/box",
    "LANG=C.UTF-8",
    "TMPDIR=/tmp",
    "USER=sandbox",
    "TZ=UTC",
};

std::string_view directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string in_box(std::string_view path) {
  return std::string(kBox) + "/" + std::string(path);
}

std::string relative_directory(std::string_view path) {
  return path.empty() ? "." : "./" + std::string(path);
}

bool belongs_to(const Manifest& manifest, std::string_view path) {
  return std::ranges::find(manifest.extensions, extension_of(path)) != manifest.extensions.end();
}

Strings sources_of(const Manifest& manifest, const Submission& submission) {
  Strings sources;
  for (const File& file : submission.files) {
    if (belongs_to(manifest, file.path)) sources.push_back(file.path);
  }
  return sources;
}

bool uses_anywhere(const Manifest& manifest, Slot slot) {
  return uses(manifest.run.argv, slot) || (manifest.compile && uses(manifest.compile->argv, slot));
}

// Whether the stages would be the same whichever of the candidates is the entry.
bool makes_no_difference(const Manifest& manifest, const Strings& candidates) {
  if (uses_anywhere(manifest, Slot::kEntry) || uses_anywhere(manifest, Slot::kStem)) return false;
  if (!uses_anywhere(manifest, Slot::kDir)) return true;
  return std::ranges::all_of(candidates, [&](const std::string& candidate) {
    return directory_of(candidate) == directory_of(candidates.front());
  });
}

// One of the usual names at the top of the box, else the only file of such a name further down.
std::optional<std::string> usual_entry(const Manifest& manifest, const Strings& paths) {
  for (const std::string& usual : manifest.entries) {
    if (std::ranges::find(paths, usual) != paths.end()) return usual;
  }
  for (const std::string& usual : manifest.entries) {
    const auto is_usual = [&](const std::string& path) { return path.ends_with("/" + usual); };
    if (std::ranges::count_if(paths, is_usual) == 1) return *std::ranges::find_if(paths, is_usual);
  }
  return std::nullopt;
}

std::string list_of(const Strings& paths) {
  constexpr std::size_t kShown = 8;
  std::string list;
  for (std::size_t i = 0; i < std::min(paths.size(), kShown); ++i) {
    list += (i == 0 ? "" : ", ") + quote(paths[i]);
  }
  return paths.size() > kShown ? list + ", …" : list;
}

// What the templates stand for in one stage.
struct Values {
  const Toolchain* toolchain = nullptr;
  std::string entry;
  Strings sources;
  Strings args;
  Limits limits;
  std::string header;
};

constexpr std::uint64_t kMilli = 1000;

Result<std::string> expand_piece(const Piece& piece, const Values& values) {
  const std::string_view entry = values.entry;
  switch (piece.slot) {
    case Slot::kText:
      return piece.text;
    case Slot::kEntry:
      return in_box(entry);
    case Slot::kDir:
      return relative_directory(directory_of(entry));
    case Slot::kStem:
      return std::string(entry.substr(0, entry.size() - extension_of(entry).size()));
    case Slot::kMemoryMb:
      return std::to_string(values.limits.memory / kMiB);
    case Slot::kCpus:
      return std::to_string((values.limits.cpus_milli + kMilli - 1) / kMilli);
    case Slot::kTool: {
      const auto found = values.toolchain->programs.find(piece.text);
      if (found == values.toolchain->programs.end()) {
        return fail(Code::kInternal, "the toolchain has no program " + quote(piece.text));
      }
      return found->second;
    }
    case Slot::kHeader:
      return values.header;
    case Slot::kOutput:
      return in_box(kHeaderOutput);
    case Slot::kSources:
    case Slot::kArgs:
    case Slot::kLinker:
      break;
  }
  std::unreachable();
}

Result<std::string> expand_one(const std::vector<Piece>& pieces, const Values& values) {
  std::string argument;
  for (const Piece& piece : pieces) {
    TRY_ASSIGN(const std::string text, expand_piece(piece, values));
    argument += text;
  }
  // A file called "-version.java" must stay a file, and "@x" is a file of options to many tools.
  const bool from_user = !pieces.empty() && pieces.front().slot == Slot::kStem;
  if (from_user && (argument.starts_with('-') || argument.starts_with('@'))) {
    return fail(Code::kInvalid,
                "entry: the name " + quote(values.entry) + " must not begin with '-' or '@'");
  }
  return argument;
}

Result<Strings> expand(const Strings& argv, const Values& values) {
  Strings expanded;
  for (const std::string& argument : argv) {
    TRY_ASSIGN(const std::vector<Piece> pieces, parse_template(argument));
    const Slot slot = pieces.size() == 1 ? pieces.front().slot : Slot::kText;
    if (slot == Slot::kSources) {
      for (const std::string& source : values.sources) expanded.push_back(in_box(source));
    } else if (slot == Slot::kArgs) {
      expanded.insert(expanded.end(), values.args.begin(), values.args.end());
    } else if (slot == Slot::kLinker) {
      if (!values.toolchain->linker.empty()) expanded.push_back(values.toolchain->linker);
    } else {
      TRY_ASSIGN(std::string one, expand_one(pieces, values));
      expanded.push_back(std::move(one));
    }
  }
  return expanded;
}

// Entries of later layers replace those of the same name in earlier ones.
void add_environment(Strings& env, const Strings& layer) {
  for (const std::string& entry : layer) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('=') + 1);
    const auto same = std::ranges::find_if(
        env, [&](const std::string& known) { return known.starts_with(name); });
    if (same != env.end()) {
      *same = entry;
    } else {
      env.push_back(entry);
    }
  }
}

// The words of an argv before the first that depends on the submission.
Strings common_words(const Strings& argv) {
  const auto is_common = [](const std::string& argument) {
    return std::ranges::none_of(
        std::array{Slot::kEntry, Slot::kStem, Slot::kDir, Slot::kSources, Slot::kArgs},
        [&argument](Slot slot) { return uses({argument}, slot); });
  };
  return {argv.begin(), std::ranges::find_if_not(argv, is_common)};
}

Result<StagePlan> plan_stage(StageKind kind, const Step& step, const Values& values) {
  StagePlan plan{.kind = kind,
                 .argv = {},
                 .env = {kBaseEnvironment.begin(), kBaseEnvironment.end()},
                 .mounts = values.toolchain->mounts,
                 .keep = step.keep,
                 .warm = step.warm,
                 .warm_argv = {},
                 .warm_env = {},
                 .preload = {},
                 .headers = {},
                 .limits = values.limits};
  add_environment(plan.env, step.env);
  TRY_ASSIGN(plan.argv, expand(step.argv, values));
  if (plan.warm) {
    TRY_ASSIGN(plan.warm_argv, expand(common_words(step.argv), values));
    plan.warm_env = plan.env;
  }
  return plan;
}

// What an interpreter imports ahead for this submission, whose entry may have any name.
Strings preload_of(const std::optional<Warm>& warm,
                   const Manifest& manifest,
                   const Submission& submission,
                   std::string_view entry) {
  if (!warm) return {};
  std::vector<std::string_view> texts;
  for (const File& file : submission.files) {
    if (file.path == entry) {
      texts.insert(texts.begin(), file.content);
    } else if (belongs_to(manifest, file.path)) {
      texts.emplace_back(file.content);
    }
  }
  if (!warm->light.empty() && imports_only(texts, warm->light)) return {};
  Strings preload = warm->preload;
  if (imports_any(texts, warm->preload_when_named)) {
    preload.insert(preload.end(), warm->preload_when_named.begin(), warm->preload_when_named.end());
  }
  return preload;
}

// The environment is the compile stage's: a compiler may look at it.
Result<StagePlan> plan_precompile(const Manifest& manifest,
                                  const Toolchain& toolchain,
                                  const Limits& defaults,
                                  const Strings& argv,
                                  const std::string& header) {
  const Values values{.toolchain = &toolchain,
                      .entry = {},
                      .sources = {},
                      .args = {},
                      .limits = apply(defaults, manifest.precompile->limits),
                      .header = header};
  const Step step{
      .argv = argv, .env = manifest.compile->env, .keep = {}, .linkers = {}, .limits = {}};
  return plan_stage(StageKind::kCompile, step, values);
}

}  // namespace

Result<std::string> choose_entry(const Manifest& manifest, const Submission& submission) {
  Strings paths;
  for (const File& file : submission.files) paths.push_back(file.path);
  if (!submission.entry.empty()) {
    if (std::ranges::find(paths, submission.entry) != paths.end()) return submission.entry;
    return fail(Code::kInvalid, "entry: " + quote(submission.entry) + " is not among the files");
  }
  if (paths.empty()) return fail(Code::kInvalid, "files: there is none");
  if (paths.size() == 1) return paths.front();

  const Strings sources = sources_of(manifest, submission);
  if (sources.size() == 1) return sources.front();
  if (const auto usual = usual_entry(manifest, sources)) return *usual;
  if (sources.empty()) {
    return fail(Code::kInvalid, "entry: none of the files is " + manifest.title + " by its name (" +
                                    list_of(manifest.extensions) + ")");
  }
  if (makes_no_difference(manifest, sources)) return sources.front();
  return fail(Code::kInvalid,
              "entry: not clear which file to start with; name one of " + list_of(sources));
}

Result<Stages> plan_stages(const Manifest& manifest,
                           const Toolchain& toolchain,
                           const Submission& submission,
                           const Limits& defaults) {
  Stages stages;
  TRY_ASSIGN(stages.entry, choose_entry(manifest, submission));
  Values values{.toolchain = &toolchain,
                .entry = stages.entry,
                .sources = sources_of(manifest, submission),
                .args = submission.args,
                .limits = defaults,
                .header = {}};
  // The language was said with --language: the entry is a source whatever its name.
  if (!belongs_to(manifest, stages.entry)) values.sources.push_back(stages.entry);

  if (manifest.compile) {
    values.limits = apply(defaults, manifest.compile->limits);
    TRY_ASSIGN(stages.compile, plan_stage(StageKind::kCompile, *manifest.compile, values));
    stages.compile->preload =
        preload_of(manifest.compile->warm, manifest, submission, stages.entry);
  }
  values.limits = apply(apply(defaults, manifest.run.limits), submission.limits);
  TRY_ASSIGN(stages.run, plan_stage(StageKind::kRun, manifest.run, values));
  stages.run.preload = preload_of(manifest.run.warm, manifest, submission, stages.entry);
  add_environment(stages.run.env, submission.env);
  return stages;
}

Result<StagePlan> plan_header_list(const Manifest& manifest,
                                   const Toolchain& toolchain,
                                   const Limits& defaults) {
  return plan_precompile(manifest, toolchain, defaults, manifest.precompile->list,
                         in_box(kHeaderSource));
}

Result<StagePlan> plan_header(const Manifest& manifest,
                              const Toolchain& toolchain,
                              const Limits& defaults,
                              const std::string& header) {
  TRY_ASSIGN(StagePlan plan,
             plan_precompile(manifest, toolchain, defaults, manifest.precompile->argv, header));
  plan.keep = {std::string(kHeaderOutput)};
  return plan;
}

Result<std::vector<std::string>> plan_version(const Manifest& manifest,
                                              const Toolchain& toolchain) {
  return expand(manifest.version, Values{.toolchain = &toolchain,
                                         .entry = {},
                                         .sources = {},
                                         .args = {},
                                         .limits = {},
                                         .header = {}});
}

}  // namespace belljar::runtime
