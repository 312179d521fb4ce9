import java.util.Scanner;

public class Main {
  public static void main(String[] args) {
    Scanner input = new Scanner(System.in);
    System.out.print("What is your name? ");
    System.out.println("Good to see you, " + input.nextLine() + ".");
  }
}
