// Pages: the files of /docs and of the playground, which are part of the program; nothing of them
// comes from elsewhere.
#pragma once

#include <span>
#include <string_view>

namespace belljar::api {

struct PageFile {
  std::string_view name;  // "" is the page itself
  std::string_view type;
  std::string_view content;
};

std::span<const PageFile> documentation_files();

struct PlaygroundFile {
  std::string_view name;
  std::string_view type;
  std::string_view content;
  std::string_view gzip;  // the same, packed; empty where that gains nothing
};

std::span<const PlaygroundFile> playground_files();

}  // namespace belljar::api
