for number in 5 4 3 2 1; do
  echo "$number"
  sleep 0.4
done
echo "done" >&2
