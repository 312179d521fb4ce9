"""Reads how many numbers follow, then the numbers, and prints their sum."""

count = int(input())
print(sum(int(input()) for _ in range(count)))
