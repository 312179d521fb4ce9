// HeaderStore: headers that Belljar has precompiled, in folders that nobody else can write.
//
//   FOLDER/KEY/record    what went in and what came out, with size and times of each file
//   FOLDER/KEY/show/     what lies over the host's folders in a compile cell: "usr/include/x.h.gch"
//
// KEY stands for the compiler's file and the flags. Whatever is not exactly as it was recorded, the
// host's own headers included, is as good as absent: the compiler then does without.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/manifest.h"
#include "runtime/toolchain.h"

namespace belljar::engine {

class HeaderStore {
 public:
  // The first folder that has what is asked for wins. An empty list: no headers.
  explicit HeaderStore(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  // cell::CellSpec::headers, or empty.
  [[nodiscard]] std::string find(const runtime::Manifest& manifest,
                                 const runtime::Toolchain& toolchain) const;

 private:
  std::vector<std::string> folders_;
};

// What precompiling one runtime's headers came to.
struct MadeHeaders {
  std::map<std::string, std::string> files;    // header's path -> precompiled
  std::map<std::string, std::string> sources;  // file of the host -> its stamp before it was read
};

// Puts it where find() looks, in place of what was there, and clears out what is oldest. kExhausted
// where somebody else is at it; kDenied where others could write to the folder.
Status keep_headers(const std::string& folder,
                    const runtime::Manifest& manifest,
                    const runtime::Toolchain& toolchain,
                    const MadeHeaders& made);

}  // namespace belljar::engine
