/* See report_page.h. The assembler finds the file where it was built. */
    .section .rodata
    .global report_page
    .global report_page_length
report_page:
    .incbin "report.page"
end:
    .balign 8
report_page_length:
    .quad end - report_page
    .section .note.GNU-stack, "", %progbits
