#!/usr/bin/env bash
# `trendline sum`: input.txt -> output.txt
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

input=$SCRATCH/input.txt
output=$SCRATCH/output.txt

# What `trendline sum` does with the input as it is: "STATUS: " and the output, or the error.
run_sum() {
    local errors status
    errors=$(DATA_DIR=$SCRATCH "$TRENDLINE" sum 2>&1)
    status=$?
    if [ $status = 0 ]; then echo "$status: $(cat "$output")$errors"; else echo "$status: $errors"; fi
}

# sum_is NAME WANTS INPUT, the input in the notation of printf %b
sum_is() {
    printf %b "$3" >"$input"
    check_equal "$1" "0: $2" "$(run_sum)"
}

# sum_fails NAME WANTS INPUT: the error, and an output left as it was
sum_fails() {
    printf %b "$3" >"$input"
    echo untouched >"$output"
    check_equal "$1" "1: $2" "$(run_sum)"
    check_equal "$1: output" untouched "$(cat "$output")"
}

sum_is "whole numbers" 10 '1 2 3 4\n'
sum_is "any white space" 21 '1\t2\n3\r\n4\f5\v  6'
sum_is "a byte-order mark" 3 '\xEF\xBB\xBF1 2\n'
sum_is "nothing but a byte-order mark" 0 '\xEF\xBB\xBF'
sum_is "nothing" 0 ''
sum_is "nothing but white space" 0 ' \n\t\r\n'
sum_is "one number without a newline" 42 '42'
sum_is "decimals as written" 0.3 '0.1 0.2'
sum_is "ten tenths" 1 '.1 .1 .1 .1 .1 .1 .1 .1 .1 .1'
sum_is "signs" -4 '+1 -2 -3'
sum_is "minus zero" 0 '-0 -0.0'
sum_is "a tiny negative number" 0 '-1e-500'
sum_is "exponents" 1234.5 '1.2e3 3450E-2'
sum_is "cancellation" 1 '1e100 1 -1e100'
sum_is "cancellation over the whole range" 5e-324 '1e308 5e-324 -1e308'
sum_is "passing beyond the range on the way" 1e+308 '1e308 1e308 -1e308 0.5 -0.5'
sum_is "over 53 bits" 9007199254740993 '9007199254740992 1'
sum_is "over 64 bits" 36893488147419103230 '18446744073709551615 18446744073709551615'
sum_is "128 bits" 340282366920938463463374607431768211455 '340282366920938463463374607431768211455'
sum_is "128 bits, negative" -340282366920938463463374607431768211455 \
    '-340282366920938463463374607431768211454 -1'
sum_is "129 bits" 3.402823669209385e+38 '340282366920938463463374607431768211455 1'
sum_is "whole numbers written otherwise" 1000000000000000000001 '1e21 1.000'
sum_is "not all whole: a double" 1e+21 '1e21 1.5 -.5'
sum_is "not all whole, in another order" 1e+21 '1.5 -.5 1e21'
sum_is "a tie goes to even" 9007199254740992 '9007199254740992.5 .5'
sum_is "just above a tie" 9007199254740994 '9007199254740992.5 .5 1e-300'
sum_is "just below a tie" 9007199254740992 '9007199254740992.5 .5 -1e-300'
sum_is "many digits" 0.3333333333333333 \
    '0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333333333'
sum_is "zeros far out" 3 "1$(printf '%0.s0' {1..400})e-400 2.$(printf '%0.s0' {1..2000}) 0e99999 0e-99999"
sum_is "the last place that counts" 0 '1e-1100'

sum_fails "a word" 'input.txt:3: "tok" is not a number' '1\n2\n3 tok 4\n'
sum_fails "the last word" 'input.txt:1: "1,5" is not a number' '1,5'
sum_fails "nan" 'input.txt:1: "nan" is not a number' 'nan'
sum_fails "infinity" 'input.txt:2: "-inf" is not a number' '\n-inf'
sum_fails "hexadecimal" 'input.txt:1: "0x10" is not a number' '0x10'
sum_fails "binary rubbish" 'input.txt:2: "\x00\x1b[31m\xff" is not a number' '1\n\0\033[31m\377 2'
sum_fails "a byte-order mark elsewhere" 'input.txt:1: "'$'\xEF\xBB\xBF''1" is not a number' '1 \xEF\xBB\xBF1'
sum_fails "out of range" 'input.txt:1: "1e309" is out of the range of doubles' '1e309'
sum_fails "just out of range" 'input.txt:1: "2e308" is out of the range of doubles' '2e308'
sum_fails "a huge exponent" 'input.txt:1: "-1e99999999999999999999" is out of the range of doubles' \
    '-1e99999999999999999999'
sum_fails "too small to hold" 'input.txt:2: "1e-999999999" has digits behind the 1100th decimal place' \
    '1\n1e-999999999\n'
sum_fails "just too small to hold" 'input.txt:1: "1e-1101" has digits behind the 1100th decimal place' \
    '1e-1101'
sum_fails "a sum out of range" 'input.txt: the sum is out of the range of doubles' '1e308 1e308'

head -c 300000 /dev/zero | tr '\0' 7 >"$input"
check_equal "an endless number" "1: input.txt:1: a number of more than 262144 bytes" "$(run_sum)"

# 23 MB, so that numbers lie across the ends of the buffer, with less than 8 MB of memory to have
seq 1 3000000 >"$input"
check_equal "many numbers" "0: 4500001500000" "$(limit_memory 8192 && run_sum)"
check_contains "a progress bar on a terminal" "input.txt [####################      " \
    "$(script -qec "DATA_DIR='$SCRATCH' '$TRENDLINE' sum" /dev/null)"

rm "$input"
check_equal "no input" "1: cannot open $input: No such file or directory" "$(run_sum)"
mkdir "$input"
check_equal "a directory as input" "1: cannot read input.txt: Is a directory" "$(run_sum)"
rmdir "$input"

echo 1 2 >"$input"
rm "$output"
run_sum >"$SCRATCH/said"
check_equal "nothing is left beside the output" "./input.txt ./output.txt ./said" \
    "$(cd "$SCRATCH" && find . -type f | sort | paste -sd ' ')"
check_equal "one line of output" "3\\n" "$(od -An -c "$output" | tr -d ' ')"

check_report cli/sum
