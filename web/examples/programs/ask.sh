read -r -p "What is your name? " name
echo "Good to see you, $name."
