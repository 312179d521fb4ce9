import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

// What a waiting compiler compiles until it is quick: a little of everything that programs have.
public class Rehearsal {
  sealed interface Shape permits Circle, Square {}

  record Circle(double radius) implements Shape {}

  record Square(double side) implements Shape {}

  enum Colour {
    RED,
    GREEN;

    Colour next() {
      return values()[(ordinal() + 1) % values().length];
    }
  }

  static class Node<T extends Comparable<T>> {
    T value;
    Node<T> left, right;

    Node(T value) {
      this.value = value;
    }

    void insert(T other) {
      if (other.compareTo(value) < 0) {
        if (left == null) left = new Node<>(other);
        else left.insert(other);
      } else if (right == null) right = new Node<>(other);
      else right.insert(other);
    }
  }

  static double area(Shape shape) {
    if (shape instanceof Circle circle) return Math.PI * circle.radius() * circle.radius();
    if (shape instanceof Square square) return square.side() * square.side();
    throw new IllegalArgumentException("no shape: " + shape);
  }

  static long fibonacci(int n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
  }

  public static void main(String[] args) throws IOException {
    List<Integer> numbers = new ArrayList<>();
    Map<String, Integer> counts = new HashMap<>();
    try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
      for (String line; (line = in.readLine()) != null; ) {
        for (String word : line.split("\\s+")) counts.merge(word, 1, Integer::sum);
      }
    }
    Scanner scanner = new Scanner("1 2 3");
    while (scanner.hasNextInt()) numbers.add(scanner.nextInt());
    Node<Integer> root = new Node<>(numbers.get(0));
    numbers.forEach(root::insert);
    Function<Integer, String> words = n -> switch (n % 3) {
      case 0 -> "zero";
      case 1 -> "one";
      default -> {
        String text = "many";
        yield text + n;
      }
    };
    System.out.println(numbers.stream().map(words).collect(Collectors.joining(", ")));
    int[][] table = new int[3][4];
    for (int i = 0; i < table.length; i++) {
      for (int j = 0; j < table[i].length; j++) table[i][j] = i * j;
    }
    Arrays.sort(table, Comparator.comparingInt(row -> row[1]));
    StringBuilder builder = new StringBuilder();
    Iterator<Map.Entry<String, Integer>> entries = counts.entrySet().iterator();
    do {
      if (!entries.hasNext()) break;
      builder.append(entries.next().getKey()).append('\n');
    } while (builder.length() < 100);
    System.out.printf("%s %.2f %s%n", Colour.RED.next(), area(new Circle(fibonacci(5))), builder);
    Runnable runnable = new Runnable() {
      @Override
      public void run() {
        synchronized (this) {
          System.err.println("ran");
        }
      }
    };
    try {
      Thread thread = new Thread(runnable);
      thread.start();
      thread.join();
    } catch (InterruptedException interrupted) {
      throw new RuntimeException(interrupted);
    } finally {
      System.out.flush();
    }
  }
}
