// Where an interpreter that is executed in a parked cell, to wait there for its run, finds what it
// needs; nothing else is open in it but its streams.
#pragma once

namespace belljar::cell {

inline constexpr int kParkedReportFd = 3;  // ParkedFds::report
inline constexpr int kParkedSocketFd = 4;  // ParkedFds::park
inline constexpr int kParkedBoxFd = 5;     // ParkedFds::box: always there

}  // namespace belljar::cell
