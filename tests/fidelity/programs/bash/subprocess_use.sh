echo "child said $(echo hello | tr a-z A-Z)"
(exit 7)
echo "child exited with $?"
sleep 60 &
kill -TERM $!
wait $!
echo "child ended by signal $(($? - 128))"
