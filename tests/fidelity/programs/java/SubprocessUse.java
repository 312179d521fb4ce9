class SubprocessUse {
  public static void main(String[] args) throws Exception {
    Process upper = new ProcessBuilder("tr", "a-z", "A-Z").start();
    upper.getOutputStream().write("hello".getBytes());
    upper.getOutputStream().close();
    System.out.println("child said " + new String(upper.getInputStream().readAllBytes()));
    System.out.println("child exited with " + new ProcessBuilder("sh", "-c", "exit 7").start().waitFor());
    Process sleeper = new ProcessBuilder("sleep", "60").start();
    sleeper.destroy();
    // Java says 128 + the signal.
    System.out.println("child ended by signal " + (sleeper.waitFor() - 128));
  }
}
