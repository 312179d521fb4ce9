// Labels: what a place where programs run is called, such as region = "eu"; a request may ask for
// some of them. Each place has "arch", its processors' architecture, without being told.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belljar {

using Labels = std::map<std::string, std::string, std::less<>>;

inline constexpr std::size_t kMostLabels = 8;
inline constexpr std::size_t kMostLabelName = 32;   // characters: a-z, 0-9, - and _
inline constexpr std::size_t kMostLabelValue = 63;  // characters: letters, digits, ., - and _

// kInvalid says which rule it breaks: "region: must be …", or what no name of a label is.
Status check_label(std::string_view name, std::string_view value);
// Of each of them, and how many they are.
Status check_labels(const Labels& labels);
// "region=eu,tier=gold"; nothing in it is no label. kInvalid as above.
Result<Labels> parse_labels(std::string_view text);
// As parse_labels() reads it, in the order of the names.
std::string to_string(const Labels& labels);
// Whether all that is wanted is there.
bool has_labels(const Labels& there, const Labels& wanted);
// `labels` and the architecture of this program.
Labels labels_here(Labels labels);

}  // namespace belljar
