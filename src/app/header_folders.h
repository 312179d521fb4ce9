// Where precompiled headers are kept.
#pragma once

#include <string>
#include <vector>

namespace belljar::app {

// What a setting says in place of a folder.
inline constexpr const char* kNoHeaders = "none";

// Root's for root, so that only root writes what everybody's compilers read; else the user's own.
// kNoHeaders where the environment does not say which folder is the user's.
std::string usual_header_folder();

// Those that `belljar run` looks into: BELLJAR_HEADERS, or the usual one and then root's.
std::vector<std::string> header_folders();

// A setting's value as a list of folders.
std::vector<std::string> folders_of(const std::string& setting);

}  // namespace belljar::app
