use strict;
use warnings;

my ($sum, %ids) = (0, $$ => 1);
my @readers;
for my $number (0 .. 3) {
    pipe my $reader, my $writer or die $!;
    my $child = fork // die $!;
    if ($child == 0) {
        my $part = 0;
        for (my $n = $number; $n < 10; $n += 4) { $part += $n * $n; }
        print {$writer} $part;
        exit 0;
    }
    close $writer;
    push @readers, $reader;
    $ids{$child} = 1;
}
$sum += <$_> for @readers;
1 while wait > 0;
print scalar(@readers), " processes summed squares to $sum\n";
print "every process had an id of its own\n" if keys %ids == 5;
