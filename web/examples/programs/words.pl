use strict;
use warnings;

my %count;
while (my $line = <STDIN>) {
    $count{$_}++ for split ' ', $line;
}
printf "%-10s %d\n", $_, $count{$_} for sort { $count{$b} <=> $count{$a} } keys %count;
