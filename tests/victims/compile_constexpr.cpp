// Computes for ever at compile time (T043, T128).
constexpr unsigned long spin(unsigned long n) {
  return n < 2 ? n : spin(n - 1) + spin(n - 2);
}
static_assert(spin(60) > 0);
int main() {
  return 0;
}
