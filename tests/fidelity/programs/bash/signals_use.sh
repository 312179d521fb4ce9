trap 'echo "caught SIGHUP"' HUP
trap 'echo "caught SIGINT"' INT
trap 'fired=1' ALRM
kill -HUP $$
kill -INT $$
(sleep 0.01; kill -ALRM $$) &
while [[ -z $fired ]]; do wait; done
echo "the timer fired"
sleep 60 &
kill $!
wait $!
echo "a child without a handler ended by signal $(($? - 128))"
