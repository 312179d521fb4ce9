import java.util.ArrayList;
import java.util.List;

class ThreadsUse {
  private static int count = 0;

  private static synchronized void increment() {
    ++count;
  }

  public static void main(String[] args) throws Exception {
    List<Thread> threads = new ArrayList<>();
    for (int name = 0; name < 4; ++name) {
      Thread thread = new Thread(() -> {
        for (int i = 0; i < 1000; ++i) increment();
      }, String.valueOf(name));
      threads.add(thread);
      thread.start();
    }
    StringBuilder joined = new StringBuilder("joined");
    for (Thread thread : threads) {
      thread.join();
      joined.append(' ').append(thread.getName());
    }
    System.out.println(threads.size() + " threads counted to " + count);
    System.out.println(joined);
  }
}
