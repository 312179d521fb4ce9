import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import sun.misc.Signal;

class SignalsUse {
  private static void raise(String name) throws Exception {
    CountDownLatch caught = new CountDownLatch(1);
    Signal.handle(new Signal(name), signal -> {
      System.out.println("caught SIG" + signal.getName());
      caught.countDown();
    });
    Signal.raise(new Signal(name));
    caught.await();
  }

  public static void main(String[] args) throws Exception {
    raise("HUP");
    raise("INT");
    CountDownLatch fired = new CountDownLatch(1);
    new Timer(true).schedule(new TimerTask() {
      @Override
      public void run() {
        fired.countDown();
      }
    }, 10);
    fired.await();
    System.out.println("the timer fired");
    Process child = new ProcessBuilder("sleep", "60").start();
    child.destroy();
    System.out.println("a child without a handler ended by signal " + (child.waitFor() - 128));
  }
}
