// Digest: what stands for bytes that are too long to compare. Every call is safe from several
// threads.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace belljar {

using Digest = std::array<unsigned char, 32>;  // BLAKE2b-256

Digest digest(std::string_view text);
// Of several texts and where each ends: ("ab", "c") and ("a", "bc") differ.
Digest digest(std::span<const std::string_view> texts);
std::string hex(const Digest& bytes);

}  // namespace belljar
