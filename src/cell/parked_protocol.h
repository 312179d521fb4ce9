// Where an interpreter that is executed in a parked cell, to wait there for its run, finds what it
// needs; nothing else is open in it but its streams. Above all that an interpreter opens when it
// begins, so that its descriptors have the numbers they have else; below the fewest that a parked
// cell may open.
#pragma once

namespace belljar::cell {

inline constexpr int kParkedReportFd = 26;  // ParkedFds::report
inline constexpr int kParkedSocketFd = 27;  // ParkedFds::park
inline constexpr int kParkedBoxFd = 28;     // ParkedFds::box: always there

}  // namespace belljar::cell
