#include "api/media_types.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace belljar::api {
namespace {

struct Ending {
  std::string_view text;
  std::string_view type;
};

constexpr std::array kEndings{
    Ending{"bmp", "image/bmp"},
    Ending{"c", "text/x-c"},
    Ending{"cpp", "text/x-c++"},
    Ending{"css", "text/css"},
    Ending{"csv", "text/csv"},
    Ending{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    Ending{"gif", "image/gif"},
    Ending{"gz", "application/gzip"},
    Ending{"htm", "text/html"},
    Ending{"html", "text/html"},
    Ending{"ipynb", "application/x-ipynb+json"},
    Ending{"jpeg", "image/jpeg"},
    Ending{"jpg", "image/jpeg"},
    Ending{"js", "text/javascript"},
    Ending{"json", "application/json"},
    Ending{"jsonl", "application/jsonl"},
    Ending{"log", "text/plain"},
    Ending{"md", "text/markdown"},
    Ending{"mp3", "audio/mpeg"},
    Ending{"mp4", "video/mp4"},
    Ending{"npy", "application/x-npy"},
    Ending{"npz", "application/x-npz"},
    Ending{"ogg", "audio/ogg"},
    Ending{"parquet", "application/vnd.apache.parquet"},
    Ending{"pdf", "application/pdf"},
    Ending{"pickle", "application/x-pickle"},
    Ending{"pkl", "application/x-pickle"},
    Ending{"png", "image/png"},
    Ending{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    Ending{"py", "text/x-python"},
    Ending{"sh", "application/x-sh"},
    Ending{"sql", "application/sql"},
    Ending{"sqlite", "application/vnd.sqlite3"},
    Ending{"svg", "image/svg+xml"},
    Ending{"tar", "application/x-tar"},
    Ending{"tex", "application/x-tex"},
    Ending{"tif", "image/tiff"},
    Ending{"tiff", "image/tiff"},
    Ending{"toml", "application/toml"},
    Ending{"tsv", "text/tab-separated-values"},
    Ending{"txt", "text/plain"},
    Ending{"wav", "audio/wav"},
    Ending{"webp", "image/webp"},
    Ending{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    Ending{"xml", "application/xml"},
    Ending{"yaml", "application/yaml"},
    Ending{"yml", "application/yaml"},
    Ending{"zip", "application/zip"},
};
static_assert(std::ranges::is_sorted(kEndings, {}, &Ending::text));

}  // namespace

std::string_view media_type_of(std::string_view path) {
  constexpr std::string_view kUnknown = "application/octet-stream";
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return kUnknown;
  const std::string ending = ascii_lower(name.substr(dot + 1));
  const auto* const found = std::ranges::lower_bound(kEndings, ending, {}, &Ending::text);
  return found != kEndings.end() && found->text == ending ? found->type : kUnknown;
}

}  // namespace belljar::api
