// Generic types nested so that inference takes ages (T043).
import java.util.function.Function;

public class CompileGenerics {
  static <T> T f(T a, T b) { return a; }

  static <A, B, C> Function<A, C> c(Function<A, B> x, Function<B, C> y) { return v -> y.apply(x.apply(v)); }

  public static void main(String[] words) {
    Function<Integer, Integer> g =
        c(c(c(c(c(x -> x, x -> x), c(x -> x, x -> x)), c(c(x -> x, x -> x), c(x -> x, x -> x))),
            c(c(c(x -> x, x -> x), c(x -> x, x -> x)), c(c(x -> x, x -> x), c(x -> x, x -> x)))),
          c(c(c(c(x -> x, x -> x), c(x -> x, x -> x)), c(c(x -> x, x -> x), c(x -> x, x -> x))),
            c(c(c(x -> x, x -> x), c(x -> x, x -> x)), c(c(x -> x, x -> x), c(x -> x, x -> x)))));
    System.out.println(g.apply(1));
  }
}
