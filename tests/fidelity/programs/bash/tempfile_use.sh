one=$(mktemp)
other=$(mktemp)
printf hello >"$one"
echo "wrote and read back $(wc -c <"$one") bytes"
[[ $one != "$other" ]] && echo "two names differ"
rm "$one"
[[ ! -e $one ]] && echo "gone after removal"
