#include "api/pages.h"

#include <array>

namespace belljar::api {
namespace {

// #embed is of C23 and C++26; this compiler has it in C++23 as an extension.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
// clang-format off: it would put spaces into the names
constexpr char kScript[] = {
#embed <swagger-ui-bundle.js>
};
constexpr char kStyle[] = {
#embed <swagger-ui.css>
};
constexpr char kLicense[] = {
#embed <LICENSE>
};
// clang-format on
#pragma clang diagnostic pop

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Belljar: HTTP API</title>
<link rel="stylesheet" href="/docs/viewer.css">
</head>
<body>
<div id="viewer"></div>
<script src="/docs/viewer.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
)";

constexpr std::string_view kStart = R"(SwaggerUIBundle({
  url: "/openapi.yaml",
  dom_id: "#viewer",
  deepLinking: true,
  validatorUrl: null,
});
)";

template <std::size_t kSize>
constexpr std::string_view view(const char (&bytes)[kSize]) {
  return {bytes, kSize};
}

constexpr std::array kFiles{
    PageFile{"", "text/html; charset=utf-8", kPage},
    PageFile{"start.js", "text/javascript; charset=utf-8", kStart},
    PageFile{"viewer.js", "text/javascript; charset=utf-8", view(kScript)},
    PageFile{"viewer.css", "text/css; charset=utf-8", view(kStyle)},
    PageFile{"LICENSE", "text/plain; charset=utf-8", view(kLicense)},
};

}  // namespace

std::span<const PageFile> documentation_files() {
  return kFiles;
}

}  // namespace belljar::api
