// Recurses for ever (T039).
public class Recursion {
  static int deeper(int depth) {
    return deeper(depth + 1) + 1;
  }

  public static void main(String[] words) {
    System.out.println(deeper(0));
  }
}
