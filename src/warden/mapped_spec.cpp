#include "warden/mapped_spec.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "base/sys.h"

namespace belljar::warden {

Result<MappedSpec> MappedSpec::open(const Fd& fd) {
  TRY(sys::check_sealed(fd.get()));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("fstat");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0 || size > kMaxSpecBytes) {
    return fail(Code::kInvalid, "spec: must have 1 byte to " + format_bytes(kMaxSpecBytes));
  }
  void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (bytes == MAP_FAILED) return fail_errno("mmap spec");
  return MappedSpec(static_cast<const char*>(bytes), size);
}

MappedSpec::MappedSpec(MappedSpec&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedSpec::~MappedSpec() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace belljar::warden
