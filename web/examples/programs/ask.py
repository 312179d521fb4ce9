name = input("What is your name? ")
print(f"Good to see you, {name}.")
while True:
    try:
        number = int(input("A number to square, or Ctrl+D: "))
    except ValueError:
        print("That is no number.")
    except EOFError:
        break
    else:
        print(f"{number} * {number} = {number * number}")
print("\nGoodbye.")
