public class Main {
  public static void main(String[] args) {
    for (double y = -1.2; y <= 1.2; y += 0.1) {
      StringBuilder line = new StringBuilder();
      for (double x = -2.2; x <= 0.8; x += 0.045) line.append(letter(x, y));
      System.out.println(line);
    }
  }

  static char letter(double x, double y) {
    double a = 0, b = 0;
    for (int step = 0; step < 60; ++step) {
      double next = a * a - b * b + x;
      b = 2 * a * b + y;
      a = next;
      if (a * a + b * b > 4) return " .:-=+*#%@".charAt(Math.min(9, step / 3));
    }
    return '@';
  }
}
