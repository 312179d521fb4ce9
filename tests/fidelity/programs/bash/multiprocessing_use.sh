part() {
  local sum=0 n
  for ((n = $1; n < 10; n += 4)); do ((sum += n * n)); done
  echo "$BASHPID $sum"
}
answers=$(for number in 0 1 2 3; do part "$number" & done; wait)
total=0
while read -r id sum; do
  ((total += sum))
  ids+="$id"$'\n'
done <<<"$answers"
echo "4 processes summed squares to $total"
if (($(printf '%s' "$ids$$" | sort -u | wc -l) == 5)); then
  echo "every process had an id of its own"
fi
